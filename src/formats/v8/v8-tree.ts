/** What V8's CPU and heap profiles share: call frames, and a tree that becomes the symbols of a pprof. */
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import { EMPTY_FRAME, type Frame } from '../../model/frame.js';
import { NO_SAMPLE_LABELS } from '../../model/sample-labels.js';
import type { PprofSymbols } from '../pprof/encode.js';

/** `object` as in a sentence: `CPU profile`, `heap profile`. */
export function v8Error(object: string, got: string, want: string): StoreError {
  return invalid('PS_V8_PROFILE', `cannot convert V8 ${object}: got ${got}; want ${want}`);
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON text or bytes to a value; anything else is taken as parsed already. */
export function parsedV8(object: string, profile: unknown): JsonObject {
  let value = profile;
  if (value instanceof Uint8Array) value = new TextDecoder().decode(value);
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch (error) {
      throw v8Error(object, `no JSON (${(error as Error).message})`, 'JSON');
    }
  }
  if (!isObject(value)) throw v8Error(object, describe(value), 'an object');
  return value;
}

export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `${typeof value} ${String(value).slice(0, 40)}`;
}

/** A list of at most `max` elements. */
export function listOf(
  object: string,
  holder: JsonObject,
  field: string,
  max: number = LIMITS.samplesPerProfileMax,
): readonly unknown[] {
  const value = holder[field];
  if (!Array.isArray(value)) throw v8Error(object, `${field}: ${describe(value)}`, 'a list');
  if (value.length > max) {
    throw v8Error(object, `${value.length} elements in ${field}`, `at most ${max}`);
  }
  return value;
}

export function numberOf(object: string, holder: JsonObject, field: string): number {
  const value = holder[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(Math.round(value))) {
    throw v8Error(object, `${field}: ${describe(value)}`, 'a number below 2^53');
  }
  return value;
}

function textOf(object: string, holder: JsonObject, field: string): string {
  const value = holder[field] ?? '';
  if (typeof value !== 'string') throw v8Error(object, `${field}: ${describe(value)}`, 'text');
  if (value.length > LIMITS.stringBytesMax) {
    throw v8Error(
      object,
      `${value.length} characters in ${field}`,
      `at most ${LIMITS.stringBytesMax}`,
    );
  }
  return value;
}

/** V8 counts lines and columns from 0 and says -1 where there is none (native code); pprof counts from 1, 0 is none. */
function fromZero(object: string, holder: JsonObject, field: string): bigint {
  const value = holder[field];
  if (value === undefined) return 0n;
  const number = Math.round(numberOf(object, holder, field));
  return number < 0 ? 0n : BigInt(number) + 1n;
}

/**
 * The frame of a `callFrame`: `lineNumber` is where the function begins, not what ran. Functions without a name get
 * their place as one, else all closures of a file would be one function.
 */
export function frameOf(object: string, callFrame: unknown): Frame {
  if (!isObject(callFrame)) throw v8Error(object, `callFrame: ${describe(callFrame)}`, 'an object');
  const name = textOf(object, callFrame, 'functionName');
  const startLine = fromZero(object, callFrame, 'lineNumber');
  const column = fromZero(object, callFrame, 'columnNumber');
  const place = startLine === 0n ? '' : column === 0n ? `:${startLine}` : `:${startLine}:${column}`;
  return {
    ...EMPTY_FRAME,
    functionName: name === '' ? `(anonymous${place})` : name,
    fileName: textOf(object, callFrame, 'url'),
    startLine,
  };
}

/** The frame as it is where `line` of its function ran (1-based). */
export function atLine(frame: Frame, line: bigint): Frame {
  return { ...frame, line };
}

/** A tree that grows from the root (node 0). Each node is a key of its own, without sample labels. */
export class V8Tree {
  readonly #parent: number[] = [-1];
  readonly #frame: number[] = [-1];
  readonly #frames: Frame[] = [];
  readonly #frameOf = new Map<string, number>();

  get count(): number {
    return this.#parent.length;
  }

  /** A new node; the parent must be one already. */
  add(parent: number, frame: Frame): number {
    const key = `${frame.startLine},${frame.line},${frame.functionName.length},${frame.functionName}${frame.fileName}`;
    let index = this.#frameOf.get(key);
    if (index === undefined) {
      index = this.#frames.push(frame) - 1;
      this.#frameOf.set(key, index);
    }
    this.#parent.push(parent);
    return this.#frame.push(index) - 1;
  }

  symbols(): PprofSymbols {
    const frames = this.#frames;
    const { count } = this;
    return {
      frames: { count: frames.length, frame: (index) => frames[index] ?? EMPTY_FRAME },
      nodes: { count, parent: Int32Array.from(this.#parent), frame: Int32Array.from(this.#frame) },
      keys: {
        node: Int32Array.from({ length: count }, (_, n) => n),
        labelSet: new Int32Array(count),
      },
      labelSets: { count: 1, labels: () => NO_SAMPLE_LABELS },
    };
  }
}

/** Key numbers of the nodes that have a value in some column, and those values. */
export function nonZeroRows(columns: readonly Float64Array[]): {
  readonly key: Int32Array;
  readonly values: readonly BigInt64Array[];
} {
  const length = columns[0]?.length ?? 0;
  const key: number[] = [];
  for (let n = 0; n < length; n++) if (columns.some((column) => column[n] !== 0)) key.push(n);
  const values = columns.map((column) =>
    BigInt64Array.from(key, (n) => BigInt(Math.round(column[n] ?? 0))),
  );
  return { key: Int32Array.from(key), values };
}
