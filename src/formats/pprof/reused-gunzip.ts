/**
 * gunzip into a buffer that is used again. `gunzipSync` makes a stream object, a window and an output buffer for each
 * call; at a thousand profiles a second the garbage of that cost the ingest thread more than a tenth of its time
 * (docs/adr/0011-memory-outside-the-heap.md), since V8 collects its whole heap when enough memory outside of it was taken.
 *
 * Node has no public call for it, so this uses the handle below its stream, which has not changed since Node 8. Where
 * a Node lacks it, `open` says so and the caller uses `gunzipSync`.
 */
import { constants, createGunzip } from 'node:zlib';

/** What is used of the binding. `writeSync` leaves free bytes of `out` and unread bytes of `input` in the state. */
interface Handle {
  onerror: (message: string, errno: number, code: string) => void;
  reset(): void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    out: Uint8Array,
    outAt: number,
    outBytes: number,
  ): void;
}

export interface Inflated {
  readonly buffer: Uint8Array;
  /** Bytes of the input that were taken. */
  readonly taken: number;
}

const OUT_BYTES_INITIAL = 256 << 10;
/** A larger buffer is given back after use. */
const OUT_BYTES_KEPT_MAX = 4 << 20;

interface ZlibError {
  readonly code: string;
  readonly message: string;
}

export class ReusedGunzip {
  readonly #handle: Handle;
  /** Free bytes of the output, unread bytes of the input. */
  readonly #state: Uint32Array;
  #out: Uint8Array = new Uint8Array(OUT_BYTES_INITIAL);
  #error: ZlibError | undefined;

  private constructor(handle: Handle, state: Uint32Array) {
    this.#handle = handle;
    this.#state = state;
    handle.onerror = (message, _errno, code) => {
      this.#error = { code, message };
    };
  }

  /** undefined on a Node whose streams are made in another way. */
  static open(): ReusedGunzip | undefined {
    const { _handle: handle, _writeState: state } = createGunzip() as unknown as {
      _handle?: Partial<Handle>;
      _writeState?: unknown;
    };
    if (typeof handle?.reset !== 'function' || typeof handle.writeSync !== 'function') return;
    if (!(state instanceof Uint32Array) || state.length !== 2) return;
    return new ReusedGunzip(handle as Handle, state);
  }

  /** The result is valid until the next call. Throws what `gunzipSync` does, as `code` and `message`. */
  inflate(body: Uint8Array, inflatedBytesMax: number): Inflated {
    const handle = this.#handle;
    const state = this.#state;
    this.#error = undefined;
    if (this.#out.length > OUT_BYTES_KEPT_MAX) this.#out = new Uint8Array(OUT_BYTES_INITIAL);
    handle.reset();
    let taken = 0;
    let end = 0;
    for (;;) {
      const out = this.#out;
      const { Z_FINISH } = constants;
      handle.writeSync(Z_FINISH, body, taken, body.length - taken, out, end, out.length - end);
      if (this.#error !== undefined) throw this.#error as ZlibError;
      end = out.length - state[0]!;
      taken = body.length - state[1]!;
      if (end > inflatedBytesMax) {
        throw { code: 'ERR_BUFFER_TOO_LARGE', message: 'too large' } satisfies ZlibError;
      }
      if (state[0]! > 0) return { buffer: out.subarray(0, end), taken };
      this.#out = new Uint8Array(Math.min(out.length * 2, inflatedBytesMax + 1));
      this.#out.set(out);
    }
  }
}
