/**
 * Label sets of samples. A sample's labels are looked up as the numbers they arrived as, in the order they arrived
 * in; the canonical text is made only when that sequence is new. 0 is the empty set.
 */
import { canonicalSampleLabels, sampleLabelsKey } from '../model/sample-labels.js';
import type { NumericLabel, StringLabel } from '../model/sample-labels.js';
import { growInts, SequenceTable } from './intern-records.js';
import type { StringTable } from './intern-strings.js';

/** A label in `scratch`: string numbers (string -1 when it is numeric), then the number as two halves. */
export const LABEL = { key: 0, string: 1, unit: 2, low: 3, high: 4, width: 5 } as const;

/** Rough cost of an entry of a Map of strings beyond its characters. */
const MAP_ENTRY_BYTES = 96;

export class LabelSetInterner {
  readonly #strings: StringTable;
  readonly #arrived = new SequenceTable();
  #setOf = new Int32Array(1024);
  readonly #texts: string[] = [''];
  readonly #numbers = new Map<string, number>([['', 0]]);
  #textBytes = 0;

  constructor(strings: StringTable) {
    this.#strings = strings;
  }

  get count(): number {
    return this.#texts.length;
  }

  get sizeBytes(): number {
    return (
      this.#arrived.sizeBytes +
      this.#setOf.byteLength +
      this.#textBytes +
      this.#texts.length * MAP_ENTRY_BYTES
    );
  }

  text(labelSet: number): string {
    return this.#texts[labelSet] as string;
  }

  /** Where to write labels, LABEL.width numbers each; call with the number of labels first. */
  scratch(labelCount: number): Int32Array {
    this.#arrived.reserve(labelCount * LABEL.width);
    return this.#arrived.scratch;
  }

  /** The label set of the first `labelCount` labels of `scratch`. */
  intern(labelCount: number): number {
    if (labelCount === 0) return 0;
    const before = this.#arrived.count;
    const entry = this.#arrived.intern(labelCount * LABEL.width);
    if (this.#arrived.count !== before) {
      if (entry >= this.#setOf.length) this.#setOf = growInts(this.#setOf, 0);
      this.#setOf[entry] = this.#internText(labelCount);
    }
    return this.#setOf[entry] as number;
  }

  #internText(labelCount: number): number {
    const { scratch } = this.#arrived;
    const strings: StringLabel[] = [];
    const numbers: NumericLabel[] = [];
    for (let at = 0; at < labelCount * LABEL.width; at += LABEL.width) {
      const name = this.#strings.text(scratch[at + LABEL.key]!);
      const string = scratch[at + LABEL.string]!;
      if (string >= 0) strings.push({ name, value: this.#strings.text(string) });
      else {
        const value =
          (BigInt(scratch[at + LABEL.high]!) << 32n) | BigInt(scratch[at + LABEL.low]! >>> 0);
        numbers.push({ name, value, unit: this.#strings.text(scratch[at + LABEL.unit]!) });
      }
    }
    const text = sampleLabelsKey(canonicalSampleLabels({ strings, numbers }));
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#texts.length;
    this.#texts.push(text);
    this.#numbers.set(text, number);
    this.#textBytes += text.length * 2;
    return number;
  }
}
