/**
 * The labels of one sample (not of its series): string and numeric, several values for a name allowed, as pprof
 * has them. Order carries no meaning; the canonical form is sorted by name, then value.
 */
export interface StringLabel {
  readonly name: string;
  readonly value: string;
}

export interface NumericLabel {
  readonly name: string;
  readonly value: bigint;
  /** Empty when the sender gave none. */
  readonly unit: string;
}

export interface SampleLabels {
  readonly strings: readonly StringLabel[];
  readonly numbers: readonly NumericLabel[];
}

export const NO_SAMPLE_LABELS: SampleLabels = { strings: [], numbers: [] };

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareNumber(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Sorted by name, value (and unit); the input is not changed. */
export function canonicalSampleLabels(labels: SampleLabels): SampleLabels {
  if (labels.strings.length === 0 && labels.numbers.length === 0) return NO_SAMPLE_LABELS;
  return {
    strings: [...labels.strings].sort(
      (a, b) => compareText(a.name, b.name) || compareText(a.value, b.value),
    ),
    numbers: [...labels.numbers].sort(
      (a, b) =>
        compareText(a.name, b.name) ||
        compareNumber(a.value, b.value) ||
        compareText(a.unit, b.unit),
    ),
  };
}

/** All values of a name, joined by commas; a number with its unit (`512bytes`). Empty for a label that is not there. */
export function labelText({ strings, numbers }: SampleLabels, name: string): string {
  const texts = strings.filter((l) => l.name === name).map((l) => l.value);
  const values = numbers.filter((l) => l.name === name).map((l) => `${l.value}${l.unit}`);
  return [...texts, ...values].join();
}

/**
 * An exact text key of a canonical label set: equal if and only if the label sets are equal. The empty set's key is
 * the empty string. Two label sets sort in blocks by this key.
 */
export function sampleLabelsKey(labels: SampleLabels): string {
  if (labels.strings.length === 0 && labels.numbers.length === 0) return '';
  return JSON.stringify([
    labels.strings.map((l) => [l.name, l.value]),
    labels.numbers.map((l) => [l.name, l.value.toString(), l.unit]),
  ]);
}

/** The inverse of `sampleLabelsKey`. The key must come from it. */
export function sampleLabelsFromKey(key: string): SampleLabels {
  if (key === '') return NO_SAMPLE_LABELS;
  const [strings, numbers] = JSON.parse(key) as [[string, string][], [string, string, string][]];
  return {
    strings: strings.map(([name, value]) => ({ name, value })),
    numbers: numbers.map(([name, value, unit]) => ({ name, value: BigInt(value), unit })),
  };
}
