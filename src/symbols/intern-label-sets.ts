/**
 * Label sets of samples. A sample's labels are looked up as the numbers they arrived as, in the order they arrived
 * in (kernels/symbols); the canonical text is made only when that sequence is new. 0 is the empty set.
 */
import { canonicalSampleLabels, sampleLabelsKey } from '../model/sample-labels.js';
import type { NumericLabel, StringLabel } from '../model/sample-labels.js';
import type { StringTexts } from './intern-strings.js';
import type { SymbolsKernel } from './kernel.js';
import { LABEL_WIDTH } from './kernel-layout.js';

/** Items of a label: string numbers (string -1 when it is numeric), then the number as two halves. */
const LABEL = { key: 0, string: 1, unit: 2, low: 3, high: 4 } as const;

/** Rough cost of an entry of a Map of strings beyond its characters. */
const MAP_ENTRY_BYTES = 96;

export class LabelSetInterner {
  readonly #tables: SymbolsKernel;
  readonly #strings: StringTexts;
  readonly #texts: string[] = [''];
  readonly #numbers = new Map<string, number>([['', 0]]);
  #textBytes = 0;
  /** Entries of the kernel's `arrived` that have a label set. */
  #known = 0;

  constructor(tables: SymbolsKernel, strings: StringTexts) {
    this.#tables = tables;
    this.#strings = strings;
  }

  get sizeBytes(): number {
    return this.#textBytes + this.#texts.length * MAP_ENTRY_BYTES;
  }

  text(labelSet: number): string {
    return this.#texts[labelSet] as string;
  }

  /** Gives a label set to each sequence of labels that is new. */
  addSets(): void {
    const { arrived, labelSetOf } = this.#tables;
    for (; this.#known < arrived.count; this.#known++) {
      const start = arrived.data[this.#known]!;
      labelSetOf.data[this.#known] = this.#internText(start, arrived.data[this.#known + 1]!);
    }
  }

  /** The label set of the labels whose items are [start, end). */
  #internText(start: number, end: number): number {
    const { data } = this.#tables.arrivedItems;
    const strings: StringLabel[] = [];
    const numbers: NumericLabel[] = [];
    for (let at = start; at < end; at += LABEL_WIDTH) {
      const name = this.#strings.text(data[at + LABEL.key]!);
      const string = data[at + LABEL.string]!;
      if (string >= 0) strings.push({ name, value: this.#strings.text(string) });
      else {
        const value = (BigInt(data[at + LABEL.high]!) << 32n) | BigInt(data[at + LABEL.low]! >>> 0);
        numbers.push({ name, value, unit: this.#strings.text(data[at + LABEL.unit]!) });
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
