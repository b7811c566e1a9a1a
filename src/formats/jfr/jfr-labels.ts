/**
 * What the agent for Java sends beside a recording: which labels each context id stands for, as protobuf.
 * `contexts` 1: map of id to Context, whose `labels` 1 is a map of string id to string id; `strings` 2: map of id to text.
 */
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type { StringLabel } from '../../model/sample-labels.js';

export interface JfrLabels {
  /** By id, unsigned. */
  readonly contexts: ReadonlyMap<bigint, readonly StringLabel[]>;
  readonly strings: ReadonlyMap<bigint, string>;
}

export const NO_JFR_LABELS: JfrLabels = { contexts: new Map(), strings: new Map() };

type Field = bigint | Uint8Array;

const EMPTY = new Uint8Array(0);
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function broken(got: string, want: string): StoreError {
  return invalid('PS_JFR_LABELS', `cannot read labels of a recording: got ${got}; want ${want}`);
}

/** The varints and byte strings of a message. */
function fieldsOf(bytes: Uint8Array): readonly { readonly field: number; readonly value: Field }[] {
  const fields: { field: number; value: Field }[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let i = 0n; i < 10n; i++) {
      const byte = bytes[at++];
      if (byte === undefined) throw broken('an end inside a number', 'a whole message');
      value |= BigInt(byte & 0x7f) << (7n * i);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw broken('a number of more than 10 bytes', 'protobuf');
  };
  while (at < bytes.length) {
    if (fields.length > LIMITS.jfrPoolEntriesMax) {
      throw broken('many entries', `at most ${LIMITS.jfrPoolEntriesMax}`);
    }
    const tag = varint();
    const field = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (wireType === 0) fields.push({ field, value: varint() });
    else if (wireType === 2) {
      const length = Number(varint());
      if (length > bytes.length - at) throw broken('an end inside a field', 'a whole message');
      fields.push({ field, value: bytes.subarray(at, at + length) });
      at += length;
    } else throw broken(`wire type ${wireType}`, 'protobuf');
  }
  return fields;
}

/** A map's entry: key 1, value 2. */
function entryOf(value: Field): { key: bigint; value: Field | undefined } {
  let key = 0n;
  let found: Field | undefined;
  for (const { field, value: inner } of fieldsOf(typeof value === 'bigint' ? EMPTY : value)) {
    if (field === 1 && typeof inner === 'bigint') key = inner;
    else if (field === 2) found = inner;
  }
  return { key, value: found };
}

/** Throws `invalid` PS_JFR_LABELS. */
export function readJfrLabels(bytes: Uint8Array): JfrLabels {
  const strings = new Map<bigint, string>();
  const raw = new Map<bigint, Field>();
  for (const { field, value } of fieldsOf(bytes)) {
    const entry = entryOf(value);
    if (field === 2) {
      strings.set(entry.key, typeof entry.value === 'object' ? utf8.decode(entry.value) : '');
    } else if (field === 1) raw.set(entry.key, entry.value ?? EMPTY);
  }
  const contexts = new Map<bigint, readonly StringLabel[]>();
  for (const [id, context] of raw) {
    const labels: StringLabel[] = [];
    for (const { field, value } of fieldsOf(typeof context === 'bigint' ? EMPTY : context)) {
      if (field !== 1) continue;
      const entry = entryOf(value);
      const name = strings.get(entry.key) ?? '';
      const text = strings.get(typeof entry.value === 'bigint' ? entry.value : 0n) ?? '';
      if (name !== '' && text !== '') labels.push({ name, value: text });
    }
    if (labels.length > LIMITS.labelsPerSampleMax) {
      throw broken(`${labels.length} labels of a context`, `at most ${LIMITS.labelsPerSampleMax}`);
    }
    contexts.set(id, labels);
  }
  return { contexts, strings };
}
