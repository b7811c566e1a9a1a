/** The texts of the kernel's strings: each is made when it is first asked for. */
import type { SymbolsKernel } from './kernel.js';

export class StringTexts {
  readonly #tables: SymbolsKernel;
  readonly #texts: (string | undefined)[] = [''];
  #textBytes = 0;

  constructor(tables: SymbolsKernel) {
    this.#tables = tables;
  }

  get sizeBytes(): number {
    return this.#textBytes + this.#texts.length * 32;
  }

  text(string: number): string {
    let text = this.#texts[string];
    if (text === undefined) {
      const { stringStart, stringBytes } = this.#tables;
      const start = stringStart.data[string]!;
      const length = stringStart.data[string + 1]! - start;
      const { buffer, byteOffset } = stringBytes.data;
      text = Buffer.from(buffer, byteOffset + start, length).toString('utf8');
      this.#texts[string] = text;
      this.#textBytes += length;
    }
    return text;
  }
}
