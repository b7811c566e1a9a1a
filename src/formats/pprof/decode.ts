/**
 * Bytes of a pprof to a `DecodedPprof`, in three steps: inflate, one scan of the wire format (scan.ts), and one pass
 * over the tables that turns ids into indexes and drops what is damaged (resolve.ts).
 *
 * A profile whose bytes do not follow the wire format is refused as a whole; inside one that does, each damaged
 * element goes alone and is counted.
 */
import { PprofArena } from './arena.js';
import { rejectionsOf } from './damage.js';
import type { DecodedPprof } from './decoded.js';
import { type InflateBounds, inflateProfile } from './inflate.js';
import { IdTables, resolve } from './resolve.js';
import { ReusedGunzip } from './reused-gunzip.js';
import { scanProfile } from './scan.js';
import { failWire } from './wire.js';

export class PprofDecoder {
  #arena = new PprofArena();
  #tables = new IdTables();
  readonly #bounds: InflateBounds;
  readonly #gunzip = ReusedGunzip.open();

  constructor(bounds: InflateBounds = {}) {
    this.#bounds = bounds;
  }

  /**
   * `body` is gzip or plain, and must not change while the answer is used. The answer is valid until the next call.
   * Throws `invalid`: PS_PPROF_GZIP, PS_PPROF_NOT_PPROF, PS_PPROF_TOO_LARGE, PS_PPROF_IDS.
   */
  decode(body: Uint8Array): DecodedPprof {
    return this.decodePlain(inflateProfile(body, this.#bounds, this.#gunzip));
  }

  /** The same for bytes that `inflateProfile` gave. */
  decodePlain(plain: Uint8Array): DecodedPprof {
    if (this.#arena.isOversizedFor(plain.length)) {
      this.#arena = new PprofArena();
      this.#tables = new IdTables();
    }
    const arena = this.#arena;
    // One class of array for all bodies (never Buffer): the scan is compiled for it once.
    const bytes = new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
    if (bytes.length === 0) failWire(bytes, 0, 'no bytes');
    arena.begin(bytes);
    scanProfile(arena);
    if (arena.valuesPerSample >= 0 && arena.valuesPerSample !== arena.sampleTypeCount) {
      // Sample types came after samples: scan again, now that their number is known.
      const { sampleTypeCount } = arena;
      arena.begin(bytes);
      arena.valuesPerSample = sampleTypeCount;
      scanProfile(arena);
    }
    if (arena.sampleTypeCount === 0) failWire(bytes, bytes.length, 'no sample type');
    if (arena.stringCount === 0) failWire(bytes, bytes.length, 'no string table');
    resolve(arena, this.#tables);
    arena.rejections = rejectionsOf(arena.damage);
    return arena;
  }
}
