/**
 * Bytes of a pprof to a `DecodedPprof`: inflate, then the kernel (kernel.ts), which scans the wire format, turns ids into indexes
 * and drops what is damaged.
 *
 * A profile whose bytes do not follow the wire format is refused as a whole; inside one that does, each damaged
 * element goes alone and is counted.
 */
import type { DecodedPprof } from './decoded.js';
import { type InflateBounds, inflateProfile } from './inflate.js';
import { PprofKernel } from './kernel.js';
import { failWire } from './wire.js';
import { ReusedGunzip } from './reused-gunzip.js';

export class PprofDecoder {
  #kernel = new PprofKernel();
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
    if (!this.#kernel.isFitFor(plain.length)) this.#kernel = new PprofKernel();
    // One class of array for all bodies (never Buffer): what reads them is compiled for it once.
    const bytes = new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
    if (bytes.length === 0) failWire(bytes, 0, 'no bytes');
    this.#kernel.decode(bytes);
    return this.#kernel;
  }
}
