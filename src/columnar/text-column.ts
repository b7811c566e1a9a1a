import type { Column } from './table.js';

/** A dictionary column under construction: texts by row, each distinct one stored once. */
export class TextColumn {
  readonly #indices: Int32Array;
  readonly #numbers = new Map<string, number>();

  constructor(capacity: number) {
    this.#indices = new Int32Array(capacity);
  }

  set(row: number, text: string): void {
    this.#indices[row] = this.#numberOf(text);
  }

  /** The same text in the rows [start, end). */
  fill(text: string, start: number, end: number): void {
    this.#indices.fill(this.#numberOf(text), start, end);
  }

  #numberOf(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(text, number);
    return number;
  }

  /** The column, whose texts are then forgotten; its rows are those of this object, valid until they are set again. */
  take(): Column {
    const dictionary = [...this.#numbers.keys()];
    this.#numbers.clear();
    return { type: 'dictionary', indices: this.#indices, dictionary };
  }
}
