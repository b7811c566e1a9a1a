/**
 * A pprof with the samples of an earlier one taken off: what a counter counted in between. The samples of the earlier
 * one are appended with their counters negated, under numbers of their own for everything they refer to, so that
 * whoever adds up equal stacks is left with the difference. Types that are no counters have 0 there.
 */
import { invalid } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import { asIndex, asSigned, readLength, readVarint, skipField, VARINT } from './wire.js';
import { MessageBuilder, WireWriter } from './wire-writer.js';

/** Numbers of strings, and ids of mappings, locations and functions, are below it. */
const NUMBER_MAX = 2 ** 30;

/** What a varint of a message refers to; fields that are not listed are copied. */
type Reference = 'string' | 'id';

interface MessageRule {
  readonly references: Readonly<Record<number, Reference>>;
  readonly messages?: Readonly<Record<number, MessageRule>>;
}

// Field numbers of github.com/google/pprof, proto/profile.proto.
const LABEL: MessageRule = { references: { 1: 'string', 2: 'string', 4: 'string' } };
const LINE: MessageRule = { references: { 1: 'id' } };
/** By field of `Profile`. A sample's values, field 2, are not copied. */
const TABLES: Readonly<Record<number, MessageRule>> = {
  2: { references: { 1: 'id' }, messages: { 3: LABEL } },
  3: { references: { 1: 'id', 5: 'string', 6: 'string' } },
  4: { references: { 1: 'id', 2: 'id' }, messages: { 4: LINE } },
  5: { references: { 1: 'id', 2: 'string', 3: 'string', 4: 'string' } },
};
const SAMPLE_TYPE = 1;
const SAMPLE = 2;
const SAMPLE_VALUE = 2;
const STRING_TABLE = 6;
const TIME_NANOS = 9;
const DURATION_NANOS = 10;

export interface ValueTypeNames {
  readonly type: string;
  readonly unit: string;
}

/**
 * Both are plain (inflated). The interval begins with the earlier one, where both say when they were taken. Throws
 * `invalid` PS_PPROF_NOT_PPROF, PS_PPROF_SUBTRACT.
 */
export function subtractPprof(
  profile: Uint8Array,
  previous: Uint8Array,
  isCounter: (type: ValueTypeNames) => boolean,
): Uint8Array {
  const sizeBytes = profile.length + previous.length;
  if (sizeBytes > LIMITS.subtractedBytesMax) {
    throw refusal(`${sizeBytes} bytes`, `at most ${LIMITS.subtractedBytesMax} in both`);
  }
  const now = readOutline(profile);
  const before = readOutline(previous);
  const types = now.types.map(({ type, unit }) => `${type} in ${unit}`).join(', ');
  const typesBefore = before.types.map(({ type, unit }) => `${type} in ${unit}`).join(', ');
  if (types !== typesBefore) {
    throw refusal(`types ${typesBefore.slice(0, 256)}`, types.slice(0, 256));
  }
  if (now.idMax + before.idMax >= NUMBER_MAX) throw refusal('ids', `ids below ${NUMBER_MAX}`);
  const isCounted = now.types.map(isCounter);
  const parts: Uint8Array[] = [profile];
  const writer = new WireWriter((bytes) => parts.push(bytes.slice()));
  new Renumbering({ string: now.stringCount, id: now.idMax }, isCounted).copy(previous, writer);
  if (before.timeNs > 0n && now.timeNs > before.timeNs) {
    const times = new MessageBuilder()
      .number(TIME_NANOS, before.timeNs)
      .number(DURATION_NANOS, now.timeNs - before.timeNs)
      .take();
    writer.reserve(times.length);
    writer.bytes(times);
  }
  writer.finish();
  return Buffer.concat(parts);
}

function refusal(got: string, want: string): Error {
  return invalid(
    'PS_PPROF_SUBTRACT',
    `cannot take the previous profile off: got ${got}; want ${want}`,
  );
}

interface Outline {
  readonly types: readonly ValueTypeNames[];
  readonly stringCount: number;
  readonly idMax: number;
  readonly timeNs: bigint;
}

/** A field of a message: its number, wire type, and for length-delimited ones the bytes [at, end). */
interface Field {
  readonly number: number;
  readonly wireType: number;
  readonly start: number;
  readonly at: number;
  readonly end: number;
}

/** Fields [start, end). A varint field is left in VARINT. */
function* fieldsOf(bytes: Uint8Array, start: number, end: number): Generator<Field> {
  let next = start;
  while (next < end) {
    const first = next;
    const at = readVarint(bytes, first, end);
    const number = asIndex() >>> 3;
    const wireType = VARINT[0]! & 7;
    if (wireType === 0) {
      next = readVarint(bytes, at, end);
      yield { number, wireType, start: first, at, end: next };
    } else if (wireType === 2) {
      const content = readLength(bytes, at, end);
      next = content + VARINT[0]!;
      yield { number, wireType, start: first, at: content, end: next };
    } else {
      next = skipField(bytes, first, end, 0);
      yield { number, wireType, start: first, at, end: next };
    }
  }
}

function readOutline(bytes: Uint8Array): Outline {
  const numbers: { type: number; unit: number }[] = [];
  const texts = new Map<number, string>();
  let stringCount = 0;
  let idMax = 0;
  let timeNs = 0n;
  for (const { number, wireType, at, end } of fieldsOf(bytes, 0, bytes.length)) {
    if (number === TIME_NANOS && wireType === 0) timeNs = asSigned();
    if (wireType !== 2) continue;
    if (number === STRING_TABLE) stringCount++;
    else if (number === SAMPLE_TYPE) {
      const [, type = 0, unit = 0] = varintsOf(bytes, at, end, 2);
      numbers.push({ type, unit });
    } else if (number >= 3 && number <= 5) {
      idMax = Math.max(idMax, varintsOf(bytes, at, end, 1)[1] ?? 0);
    }
  }
  if (stringCount >= NUMBER_MAX)
    throw refusal(`${stringCount} strings`, `fewer than ${NUMBER_MAX}`);
  const wanted = new Set(numbers.flatMap(({ type, unit }) => [type, unit]));
  let string = 0;
  for (const { number, wireType, at, end } of fieldsOf(bytes, 0, bytes.length)) {
    if (number !== STRING_TABLE || wireType !== 2) continue;
    if (wanted.has(string)) texts.set(string, Buffer.from(bytes.subarray(at, end)).toString());
    string++;
  }
  const types = numbers.map(({ type, unit }) => ({
    type: texts.get(type) ?? '',
    unit: texts.get(unit) ?? '',
  }));
  return { types, stringCount, idMax, timeNs };
}

/** The varints of fields 1 ... `fieldMax` of a message, by field. */
function varintsOf(bytes: Uint8Array, start: number, end: number, fieldMax: number): number[] {
  const out: number[] = [];
  for (const { number, wireType } of fieldsOf(bytes, start, end)) {
    if (wireType === 0 && number <= fieldMax) out[number] = referenceNumber();
  }
  return out;
}

/** The varint read last. Throws `invalid` PS_PPROF_SUBTRACT. */
function referenceNumber(): number {
  const value = asIndex();
  if (value >= 0 && value < NUMBER_MAX) return value;
  throw refusal(`id ${asSigned()}`, `ids below ${NUMBER_MAX}`);
}

/** Copies the tables and samples of a profile under numbers that follow another's. */
class Renumbering {
  readonly #offsets: Readonly<Record<Reference, number>>;
  readonly #isCounted: readonly boolean[];
  readonly #outer = new MessageBuilder();
  readonly #inner = new MessageBuilder();

  constructor(offsets: Readonly<Record<Reference, number>>, isCounted: readonly boolean[]) {
    this.#offsets = offsets;
    this.#isCounted = isCounted;
  }

  copy(bytes: Uint8Array, writer: WireWriter): void {
    for (const { number, wireType, start, at, end } of fieldsOf(bytes, 0, bytes.length)) {
      if (wireType !== 2) continue;
      if (number === STRING_TABLE) {
        writer.reserve(end - start);
        writer.bytes(bytes.subarray(start, end));
        continue;
      }
      const rule = TABLES[number];
      if (rule === undefined) continue;
      const message = this.#outer;
      this.#message(bytes, { start: at, end, rule, message, isSample: number === SAMPLE });
      message.writeTo(writer, number);
    }
  }

  #message(
    bytes: Uint8Array,
    what: {
      readonly start: number;
      readonly end: number;
      readonly rule: MessageRule;
      readonly message: MessageBuilder;
      readonly isSample: boolean;
    },
  ): void {
    const { rule, message, isSample } = what;
    let value = 0;
    for (const { number, wireType, start, at, end } of fieldsOf(bytes, what.start, what.end)) {
      if (isSample && number === SAMPLE_VALUE) {
        for (let next = at; next < end; value++) {
          next = readVarint(bytes, next, end);
          message.entry(number, this.#isCounted[value] === true ? -asSigned() : 0n);
        }
        continue;
      }
      const reference = rule.references[number];
      const inner = rule.messages?.[number];
      if (reference !== undefined && wireType === 0) {
        message.entry(number, this.#moved(reference));
      } else if (reference !== undefined && wireType === 2) {
        for (let next = at; next < end; ) {
          next = readVarint(bytes, next, end);
          message.entry(number, this.#moved(reference));
        }
      } else if (inner !== undefined && wireType === 2) {
        const part = { start: at, end, rule: inner, message: this.#inner, isSample: false };
        this.#message(bytes, part);
        message.message(number, this.#inner.take());
      } else message.raw(bytes.subarray(start, end));
    }
  }

  /** 0 is nothing: no mapping, no string. */
  #moved(reference: Reference): bigint {
    const value = referenceNumber();
    return value === 0 ? 0n : BigInt(value + this.#offsets[reference]);
  }
}
