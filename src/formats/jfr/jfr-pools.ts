/** The constant pools of a chunk: only what names the frames of stacks is kept, the rest is walked over. */
import { LIMITS } from '../../base/limits.js';
import { type JfrBytes, jfrError, type Long } from './jfr-bytes.js';
import { type JfrOp, type JfrType, readOps } from './jfr-types.js';

/** A stack as the recording has it, leaf first. */
export interface JfrStack {
  /** Ids of methods. */
  readonly methods: readonly Long[];
  readonly lines: readonly number[];
}

interface Method {
  readonly type: Long;
  readonly name: Long;
}

type Text = string | { readonly reference: Long };

const STACK_TRACE = 'jdk.types.StackTrace';
const METHOD = 'jdk.types.Method';
const CLASS = 'java.lang.Class';
const SYMBOL = 'jdk.types.Symbol';
const THREAD_STATE = 'jdk.types.ThreadState';
const STRING = 'java.lang.String';

export class JfrPools {
  readonly #types: ReadonlyMap<Long, JfrType>;
  readonly #budget: { framesLeft: number };
  readonly #stacks = new Map<Long, JfrStack>();
  readonly #methods = new Map<Long, Method>();
  /** Class to the symbol of its name. */
  readonly #classes = new Map<Long, Long>();
  readonly #symbols = new Map<Long, Text>();
  readonly #states = new Map<Long, Text>();
  readonly #strings = new Map<Long, Text>();
  #entries = 0;

  constructor(types: ReadonlyMap<Long, JfrType>, budget: { framesLeft: number }) {
    this.#types = types;
    this.#budget = budget;
  }

  /** `bytes` is after the type of a checkpoint event. */
  read(bytes: JfrBytes): void {
    bytes.skipLong();
    bytes.skipLong();
    bytes.skipLong();
    bytes.skipLong();
    for (let pools = bytes.count('pools'); pools > 0; pools--) {
      const typeId = bytes.long();
      const type = this.#types.get(typeId);
      if (type === undefined) throw jfrError(`a pool of unknown type ${typeId}`, 'a known one');
      for (let left = bytes.count('entries'); left > 0; left--) this.#entry(type, bytes);
    }
  }

  #entry(type: JfrType, bytes: JfrBytes): void {
    const id = bytes.long();
    switch (type.name) {
      case STACK_TRACE:
        this.#stacks.set(id, this.#stack(type, bytes));
        break;
      case METHOD: {
        const [owner = 0, name = 0] = longs(bytes, type.ops, ['type', 'name']);
        this.#methods.set(id, { type: owner, name });
        break;
      }
      case CLASS:
        this.#classes.set(id, longs(bytes, type.ops, ['name'])[0] ?? 0);
        break;
      case SYMBOL:
        this.#symbols.set(id, text(bytes, type.ops, 'string'));
        break;
      case THREAD_STATE:
        this.#states.set(id, text(bytes, type.ops, 'name'));
        break;
      case STRING:
        this.#strings.set(id, text(bytes, type.ops, ''));
        break;
      default:
        readOps(bytes, type.ops);
        return;
    }
    if (++this.#entries > LIMITS.jfrPoolEntriesMax) {
      throw jfrError('large constant pools', `${LIMITS.jfrPoolEntriesMax} entries`);
    }
  }

  #stack(type: JfrType, bytes: JfrBytes): JfrStack {
    const methods: Long[] = [];
    const lines: number[] = [];
    readOps(bytes, type.ops, (op) => {
      if (op.kind !== 'array' || op.name !== 'frames' || op.element.length === 0) return false;
      const count = bytes.count('a stack of');
      if (count > this.#budget.framesLeft) {
        throw jfrError('stacks of many frames', `${LIMITS.jfrFramesMax} together`);
      }
      this.#budget.framesLeft -= count;
      for (let i = 0; i < count; i++) {
        const [method = 0, line = 0] = longs(bytes, op.element, ['method', 'lineNumber']);
        methods.push(method);
        lines.push(Number(line));
      }
      return true;
    });
    return { methods, lines };
  }

  stack(id: Long): JfrStack | undefined {
    return this.#stacks.get(id);
  }

  /** `class.method`; a part is empty where the recording does not say it. */
  methodName(id: Long): string {
    const method = this.#methods.get(id);
    if (method === undefined) return '';
    const owner = this.#text(this.#symbols.get(this.#classes.get(method.type) ?? 0));
    return `${stableClass(owner)}.${this.#text(this.#symbols.get(method.name))}`;
  }

  threadState(id: Long): string {
    return this.#text(this.#states.get(id));
  }

  /** A string of an event. */
  text(value: Text | undefined): string {
    return this.#text(value);
  }

  #text(value: Text | undefined): string {
    if (value === undefined || typeof value === 'string') return value ?? '';
    const found = this.#strings.get(value.reference);
    return typeof found === 'string' ? found : '';
  }
}

/** Names that the JVM makes up anew at every start would make every stack a new one. */
function stableClass(name: string): string {
  return name
    .replace(/\$\$Lambda(?:\$\d+)?(?:[./]0x[0-9a-f]+|[./]\d+)?$/, '$$$$Lambda_')
    .replace(/GeneratedMethodAccessor\d+$/, 'GeneratedMethodAccessor_')
    .replace(/GeneratedConstructorAccessor\d+$/, 'GeneratedConstructorAccessor_')
    .replace(/^(lib[a-z0-9-]+?)-[0-9.]+-\d{6,}(\.so)/, '$1-_$2');
}

/** The values of the numbers named, in that order; the record is read to its end. */
export function longs(
  bytes: JfrBytes,
  ops: readonly JfrOp[],
  names: readonly string[],
): (Long | undefined)[] {
  const out: (Long | undefined)[] = names.map(() => undefined);
  readOps(bytes, ops, (op) => {
    const index = op.kind === 'long' ? names.indexOf(op.name) : -1;
    if (index >= 0) out[index] = bytes.long();
    return index >= 0;
  });
  return out;
}

function text(bytes: JfrBytes, ops: readonly JfrOp[], name: string): Text {
  let out: Text | undefined;
  readOps(bytes, ops, (op) => {
    if (op.kind !== 'string' || op.name !== name) return false;
    out = bytes.string();
    return true;
  });
  return out ?? '';
}
