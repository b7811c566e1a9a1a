/** Text that grows to bytes in pieces, bounded. */
import { StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';

const CHUNK_CHARACTERS = 1 << 16;
const encoder = new TextEncoder();

export class TextChunks {
  readonly #what: string;
  readonly #check: () => void;
  readonly #chunks: Uint8Array[] = [];
  #pending = '';
  #sizeBytes = 0;

  /** `what` is for errors; `check` is called now and then, and throws what stops a query. */
  constructor(what: string, check: () => void) {
    this.#what = what;
    this.#check = check;
  }

  append(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= CHUNK_CHARACTERS) this.#flush();
  }

  /** Comma-separated texts. */
  appendList(count: number, text: (index: number) => string): void {
    for (let i = 0; i < count; i++) this.append(i === 0 ? text(i) : `,${text(i)}`);
  }

  /** Throws `limit` PS_RENDER_SIZE, as `append` does. */
  finish(): Uint8Array {
    this.#flush();
    return Buffer.concat(this.#chunks);
  }

  #flush(): void {
    this.#check();
    const bytes = encoder.encode(this.#pending);
    this.#pending = '';
    this.#sizeBytes += bytes.length;
    if (this.#sizeBytes > LIMITS.renderBytesMax) {
      throw new StoreError({
        kind: 'limit',
        code: 'PS_RENDER_SIZE',
        message: `cannot render ${this.#what}: got more than ${LIMITS.renderBytesMax} bytes; want at most that many`,
      });
    }
    this.#chunks.push(bytes);
  }
}
