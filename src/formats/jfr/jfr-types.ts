/**
 * A chunk's description of its own types, as flat lists of what to read: a struct inside a struct is spelled out, so that
 * every step takes at least one byte, whatever a hostile description says.
 */
import { LIMITS } from '../../base/limits.js';
import { type JfrBytes, jfrError, type Long } from './jfr-bytes.js';

export type JfrOp =
  | { readonly kind: 'long' | 'string'; readonly name: string }
  | { readonly kind: 'fixed'; readonly name: string; readonly sizeBytes: number }
  /** As many elements as a number before them says. */
  | { readonly kind: 'array'; readonly name: string; readonly element: readonly JfrOp[] };

export interface JfrType {
  readonly id: Long;
  readonly name: string;
  readonly ops: readonly JfrOp[];
}

interface RawField {
  readonly name: string;
  readonly typeId: string;
  readonly isPooled: boolean;
  readonly isArray: boolean;
}

interface RawType {
  readonly name: string;
  readonly fields: readonly RawField[];
}

interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
}

const ELEMENT_DEPTH_MAX = 16;
const STRUCT_DEPTH_MAX = 16;
/** A real type has some tens. */
const OPS_MAX = 1_024;

const PRIMITIVES: ReadonlyMap<string, (name: string) => JfrOp> = new Map([
  ...['short', 'char', 'int', 'long'].map(
    (type) => [type, (name: string): JfrOp => ({ kind: 'long', name })] as const,
  ),
  ...(
    [
      ['boolean', 1],
      ['byte', 1],
      ['float', 4],
      ['double', 8],
    ] as const
  ).map(
    ([type, sizeBytes]) =>
      [type, (name: string): JfrOp => ({ kind: 'fixed', name, sizeBytes })] as const,
  ),
  ['java.lang.String', (name: string): JfrOp => ({ kind: 'string', name })],
]);

/** `bytes` is after the size and type of the metadata event. Throws `invalid` PS_JFR. */
export function readTypes(bytes: JfrBytes): ReadonlyMap<Long, JfrType> {
  bytes.skipLong();
  bytes.skipLong();
  bytes.skipLong();
  const strings = readStrings(bytes);
  const budget = { left: LIMITS.jfrPoolEntriesMax };
  const root = readElement(bytes, { strings, budget, depth: 0 });
  const raw = new Map<string, RawType>();
  for (const part of root.children) {
    if (part.name !== 'metadata') continue;
    for (const one of part.children) {
      if (one.name === 'class') raw.set(one.attributes.get('id') ?? '', rawType(one));
    }
  }
  const types = new Map<Long, JfrType>();
  const compiled = new Map<string, readonly JfrOp[]>();
  for (const [text, { name }] of raw) {
    if (!/^\d{1,19}$/.test(text))
      throw jfrError(`type id ${JSON.stringify(text.slice(0, 32))}`, 'a number');
    const wide = BigInt(text);
    const id = wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : wide;
    types.set(id, { id, name, ops: compile(text, { raw, compiled, depth: 0 }) });
  }
  return types;
}

function readStrings(bytes: JfrBytes): readonly string[] {
  const count = bytes.count('strings');
  if (count > bytes.left) throw jfrError(`${count} strings in ${bytes.left} bytes`, 'fewer');
  const strings: string[] = [];
  for (let i = 0; i < count; i++) {
    const text = bytes.string();
    strings.push(typeof text === 'string' ? text : '');
  }
  return strings;
}

interface ElementContext {
  readonly strings: readonly string[];
  readonly budget: { left: number };
  readonly depth: number;
}

function readElement(bytes: JfrBytes, context: ElementContext): Element {
  const { strings, budget, depth } = context;
  const text = (): string => {
    const found = strings[bytes.count('a string')];
    if (found === undefined) throw jfrError('a string past the table', 'an index of it');
    return found;
  };
  if (depth > ELEMENT_DEPTH_MAX) throw jfrError('deep metadata', `${ELEMENT_DEPTH_MAX} levels`);
  const name = text();
  const attributes = new Map<string, string>();
  const attributeCount = bytes.count('attributes');
  budget.left -= attributeCount + 1;
  for (let i = 0; i < attributeCount && budget.left >= 0; i++) attributes.set(text(), text());
  const children: Element[] = [];
  const childCount = bytes.count('elements');
  for (let i = 0; i < childCount && budget.left >= 0; i++) {
    children.push(readElement(bytes, { strings, budget, depth: depth + 1 }));
  }
  if (budget.left < 0) {
    throw jfrError('a large description of types', `${LIMITS.jfrPoolEntriesMax} elements`);
  }
  return { name, attributes, children };
}

function rawType(element: Element): RawType {
  const fields = element.children
    .filter((child) => child.name === 'field')
    .map(({ attributes }) => ({
      name: attributes.get('name') ?? '',
      typeId: attributes.get('class') ?? '',
      isPooled: attributes.get('constantPool') === 'true',
      isArray: (attributes.get('dimension') ?? '0') !== '0',
    }));
  return { name: element.attributes.get('name') ?? '', fields };
}

interface CompileContext {
  readonly raw: ReadonlyMap<string, RawType>;
  readonly compiled: Map<string, readonly JfrOp[]>;
  readonly depth: number;
}

function compile(id: string, context: CompileContext): readonly JfrOp[] {
  const { raw, compiled, depth } = context;
  const known = compiled.get(id);
  if (known !== undefined) return known;
  if (depth > STRUCT_DEPTH_MAX) throw jfrError('a type that holds itself', 'types that end');
  const type = raw.get(id);
  if (type === undefined)
    throw jfrError(`a field of unknown type ${id.slice(0, 32)}`, 'a known one');
  const primitive = PRIMITIVES.get(type.name);
  const ops: JfrOp[] = primitive === undefined ? [] : [primitive('')];
  if (primitive === undefined) {
    for (const field of type.fields) ops.push(...fieldOps(field, context));
  }
  if (ops.length > OPS_MAX) throw jfrError(`a type of ${ops.length} fields`, `at most ${OPS_MAX}`);
  compiled.set(id, ops);
  return ops;
}

/** Only a field of the type itself has a name: one of a struct inside it is `outer.inner`. */
function fieldOps(field: RawField, context: CompileContext): readonly JfrOp[] {
  const { name, typeId, isPooled, isArray } = field;
  const element: readonly JfrOp[] = isPooled
    ? [{ kind: 'long', name: '' }]
    : compile(typeId, { ...context, depth: context.depth + 1 });
  if (isArray) return [{ kind: 'array', name, element }];
  return element.map((op) => ({ ...op, name: op.name === '' ? name : `${name}.${op.name}` }));
}

/** Skips a value, or hands it to `keep`. */
export function readOps(
  bytes: JfrBytes,
  ops: readonly JfrOp[],
  keep?: (op: JfrOp, bytes: JfrBytes) => boolean,
): void {
  for (const op of ops) {
    if (keep?.(op, bytes) === true) continue;
    switch (op.kind) {
      case 'long':
        bytes.skipLong();
        break;
      case 'string':
        bytes.skipString();
        break;
      case 'fixed':
        bytes.take(op.sizeBytes);
        break;
      case 'array': {
        const count = bytes.count('an array of');
        // Elements without fields take no bytes, and no time.
        if (op.element.length === 0) break;
        for (let i = 0; i < count; i++) readOps(bytes, op.element);
        break;
      }
    }
  }
}
