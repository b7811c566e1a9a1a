import { LIMITS } from '../base/limits.js';
import { invalid } from '../base/errors.js';

/** One label of a series. */
export interface Label {
  readonly name: string;
  readonly value: string;
}

/** Sorted by name (UTF-16 code units), names unique, no empty value. */
export type Labels = readonly Label[];

export const SERVICE_NAME = 'service_name';
/** Names the profile (`process_cpu`, `memory`); a part of the series, not stored among its labels. */
export const PROFILE_NAME = '__name__';
/** Virtual: the whole profile type id, for selectors and grouping. */
export const PROFILE_TYPE = '__profile_type__';
/** Virtual: the parts of the profile type id after the name, as Pyroscope names them. */
export const PROFILE_TYPE_PARTS = ['__type__', '__unit__', '__period_type__', '__period_unit__'];
/** Virtual: another name of the service, which Pyroscope's older clients use. */
export const SERVICE_NAME_ALIAS = '__service_name__';
export const UNKNOWN_SERVICE = 'unknown_service';

/**
 * Canonical labels from what a sender gave: sorted, empty values dropped. Throws `invalid` PS_LABELS_* for a
 * duplicate name, an empty name, too many labels or one that is too long.
 */
export function canonicalLabels(pairs: Iterable<Label>): Labels {
  const out: Label[] = [];
  for (const { name, value } of pairs) {
    if (name === '')
      throw invalid(
        'PS_LABELS_NAME',
        'cannot accept labels: got an empty name; want 1 character or more',
      );
    checkLength('PS_LABELS_NAME_LENGTH', name, name, LIMITS.labelNameBytesMax);
    checkLength('PS_LABELS_LENGTH', name, value, LIMITS.labelValueBytesMax);
    if (value !== '') out.push({ name, value });
    if (out.length > LIMITS.labelsMax) {
      throw invalid(
        'PS_LABELS_COUNT',
        `cannot accept labels: got more than ${LIMITS.labelsMax}; want at most that many`,
      );
    }
  }
  out.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (let i = 1; i < out.length; i++) {
    const name = out[i]?.name;
    if (name !== undefined && name === out[i - 1]?.name) {
      throw invalid(
        'PS_LABELS_DUPLICATE',
        `cannot accept labels: got ${JSON.stringify(name)} twice; want each name once`,
      );
    }
  }
  return out;
}

function checkLength(code: string, name: string, text: string, bytesMax: number): void {
  // A UTF-16 unit is at most three bytes of UTF-8, so the exact count is needed only for long texts.
  if (text.length * 3 <= bytesMax) return;
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > bytesMax) {
    throw invalid(
      code,
      `cannot accept label ${JSON.stringify(name.slice(0, 64))}: got ${sizeBytes} bytes; want at most ${bytesMax}`,
    );
  }
}

/** The value of label `name`, or the empty string, which in a selector means the same as a missing label. */
export function labelValue(labels: Labels, name: string): string {
  for (const label of labels) if (label.name === name) return label.value;
  return '';
}
