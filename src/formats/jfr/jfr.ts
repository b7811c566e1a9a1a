/**
 * A JFR recording as profiles: one for each kind of event that is about stacks. Counts of samples are left as counts;
 * what a sample stands for is the caller's to say.
 */
import type { Frame } from '../../model/frame.js';
import { EMPTY_FRAME } from '../../model/frame.js';
import type { StringLabel } from '../../model/sample-labels.js';
import { NO_LABELS, ROOT, StackProfile } from '../stacks/stack-profile.js';
import type { JfrBytes, Long, StringReference } from './jfr-bytes.js';
import { type JfrChunk, readChunks } from './jfr-chunk.js';
import type { JfrLabels } from './jfr-labels.js';
import { type JfrType, readOps } from './jfr-types.js';

export type JfrKind =
  | 'cpu'
  | 'wall'
  | 'alloc-in-tlab'
  | 'alloc-outside-tlab'
  | 'alloc-sample'
  | 'lock'
  | 'park'
  | 'live'
  | 'malloc';

export interface JfrProfiles {
  /** By kind; one value a stack (samples, objects), or two (and bytes, or nanoseconds). */
  readonly profiles: ReadonlyMap<JfrKind, StackProfile>;
  /** The event that async-profiler sampled by: `cpu`, `itimer`, `ctimer`, `wall`. Empty when it does not say. */
  readonly event: string;
}

interface Kind {
  readonly kind: JfrKind;
  /** The field of the second value; none: one value. */
  readonly amount?: string;
  /** The amount is in ticks of the chunk's clock. */
  readonly isTicks?: boolean;
  /** The field with the number of samples; none: one. */
  readonly count?: string;
}

const EXECUTION_SAMPLE = 'jdk.ExecutionSample';
const KINDS: ReadonlyMap<string, Kind> = new Map([
  [EXECUTION_SAMPLE, { kind: 'cpu' }],
  ['jdk.CPUTimeSample', { kind: 'cpu' }],
  ['profiler.WallClockSample', { kind: 'wall', count: 'samples' }],
  ['jdk.ObjectAllocationInNewTLAB', { kind: 'alloc-in-tlab', amount: 'tlabSize' }],
  ['jdk.ObjectAllocationOutsideTLAB', { kind: 'alloc-outside-tlab', amount: 'allocationSize' }],
  ['jdk.ObjectAllocationSample', { kind: 'alloc-sample', amount: 'weight' }],
  ['jdk.JavaMonitorEnter', { kind: 'lock', amount: 'duration', isTicks: true }],
  ['jdk.ThreadPark', { kind: 'park', amount: 'duration', isTicks: true }],
  ['profiler.LiveObject', { kind: 'live' }],
  ['profiler.Malloc', { kind: 'malloc', amount: 'size' }],
]);
const ACTIVE_SETTING = 'jdk.ActiveSetting';
const SLEEPING = 'STATE_SLEEPING';
const NS_PER_SECOND = 1_000_000_000n;

/** The fields of an event that matter. */
interface EventFields {
  readonly numbers: ReadonlyMap<string, Long>;
  readonly texts: ReadonlyMap<string, string | StringReference | undefined>;
}

function fieldsOf(type: JfrType, bytes: JfrBytes): EventFields {
  const numbers = new Map<string, Long>();
  const texts = new Map<string, string | StringReference | undefined>();
  readOps(bytes, type.ops, (op) => {
    if (op.name.includes('.')) return false;
    if (op.kind === 'long') numbers.set(op.name, bytes.long());
    else if (op.kind === 'string') texts.set(op.name, bytes.string());
    else return false;
    return true;
  });
  return { numbers, texts };
}

class JfrReader {
  readonly profiles = new Map<JfrKind, StackProfile>();
  event = '';
  readonly #labels: JfrLabels;
  /** Execution samples, counted as what they are when the setting is known: it may come after them. */
  readonly #executions = new StackProfile(2);
  readonly #stackNodes = new Map<StackProfile, Map<Long, number>>();
  /** Distinct ids of contexts and spans, by profile. */
  readonly #labelSets = new Map<StackProfile, Map<string, number>>();

  constructor(labels: JfrLabels) {
    this.#labels = labels;
  }

  chunk(chunk: JfrChunk): void {
    // Ids of stacks are those of one chunk.
    this.#stackNodes.clear();
    chunk.events((type, bytes) => {
      const kind = KINDS.get(type.name);
      if (kind !== undefined) this.#sample(chunk, { type, kind }, bytes);
      else if (type.name === ACTIVE_SETTING) this.#setting(chunk, fieldsOf(type, bytes));
    });
  }

  #setting(chunk: JfrChunk, { texts }: EventFields): void {
    if (chunk.pools.text(texts.get('name')) !== 'event') return;
    const value = chunk.pools.text(texts.get('value'));
    // The JVM's own settings have the same form, and no such value.
    if (/^[a-z-]{1,32}$/.test(value)) this.event = value;
  }

  #sample(chunk: JfrChunk, what: { type: JfrType; kind: Kind }, bytes: JfrBytes): void {
    const { kind, amount, isTicks, count } = what.kind;
    const { numbers } = fieldsOf(what.type, bytes);
    const profile = this.#profile(kind, amount === undefined ? 1 : 2);
    const samples = count === undefined ? 1n : BigInt(numbers.get(count) ?? 1);
    const raw = BigInt(numbers.get(amount ?? '') ?? 0);
    const value = isTicks === true ? (raw * NS_PER_SECOND) / chunk.ticksPerSecond : raw;
    const stackId = numbers.get('stackTrace') ?? 0;
    if (what.type.name !== EXECUTION_SAMPLE) {
      const labels = this.#labelSet(profile, numbers);
      profile.add(this.#node(chunk, profile, stackId), labels, [samples, value]);
      return;
    }
    const isRunning = chunk.pools.threadState(numbers.get('state') ?? 0) !== SLEEPING;
    const all = this.#executions;
    const node = this.#node(chunk, all, stackId);
    all.add(node, this.#labelSet(all, numbers), [isRunning ? 1n : 0n, 1n]);
  }

  /** In wall mode an execution sample says that time passed, and the running ones that CPU was used as well. */
  finish(): void {
    this.#executions.copyTo(this.#profile('cpu', 1), 0);
    if (this.event === 'wall') this.#executions.copyTo(this.#profile('wall', 1), 1);
    for (const [kind, profile] of this.profiles) {
      if (profile.sampleCount === 0) this.profiles.delete(kind);
    }
  }

  #profile(kind: JfrKind, valueCount: number): StackProfile {
    let profile = this.profiles.get(kind);
    if (profile === undefined) {
      profile = new StackProfile(valueCount);
      this.profiles.set(kind, profile);
    }
    return profile;
  }

  #node(chunk: JfrChunk, profile: StackProfile, stackId: Long): number {
    let nodes = this.#stackNodes.get(profile);
    if (nodes === undefined) {
      nodes = new Map();
      this.#stackNodes.set(profile, nodes);
    }
    const known = nodes.get(stackId);
    if (known !== undefined) return known;
    const stack = chunk.pools.stack(stackId);
    let node = ROOT;
    for (let i = (stack?.methods.length ?? 0) - 1; i >= 0; i--) {
      const method = stack?.methods[i] ?? 0;
      // Unsigned on the wire; the JVM writes -1 for none.
      const line = (stack?.lines[i] ?? 0) | 0;
      const name = chunk.pools.methodName(method);
      const make = (): Frame => ({
        ...EMPTY_FRAME,
        functionName: name,
        line: line > 0 ? BigInt(line) : 0n,
      });
      node = profile.child(node, profile.frame(`${line}:${name}`, make));
    }
    nodes.set(stackId, node);
    return node;
  }

  #labelSet(profile: StackProfile, numbers: ReadonlyMap<string, Long>): number {
    const context = BigInt.asUintN(64, BigInt(numbers.get('contextId') ?? 0));
    const span = BigInt.asUintN(64, BigInt(numbers.get('spanId') ?? 0));
    const spanName = BigInt.asUintN(64, BigInt(numbers.get('spanName') ?? 0));
    const high = BigInt.asUintN(64, BigInt(numbers.get('traceIdHi') ?? 0));
    const low = BigInt.asUintN(64, BigInt(numbers.get('traceIdLo') ?? 0));
    if ((context | span | spanName | high | low) === 0n) return NO_LABELS;
    let known = this.#labelSets.get(profile);
    if (known === undefined) {
      known = new Map();
      this.#labelSets.set(profile, known);
    }
    const key = `${context},${span},${spanName},${high},${low}`;
    let set = known.get(key);
    if (set === undefined) {
      const strings: StringLabel[] = [...(this.#labels.contexts.get(context) ?? [])];
      const add = (name: string, value: string): void => {
        if (value !== '' && !strings.some((label) => label.name === name))
          strings.push({ name, value });
      };
      if (span !== 0n) add('span_id', hex(span));
      add('span_name', this.#labels.strings.get(spanName) ?? '');
      if ((high | low) !== 0n) add('trace_id', hex(high) + hex(low));
      set = profile.labelSet({ strings, numbers: [] });
      known.set(key, set);
    }
    return set;
  }
}

function hex(id: bigint): string {
  return id.toString(16).padStart(16, '0');
}

/** Throws `invalid`: PS_JFR, PS_STACKS_TOO_LARGE. */
export function readJfr(bytes: Uint8Array, labels: JfrLabels): JfrProfiles {
  const reader = new JfrReader(labels);
  readChunks(bytes, (chunk) => reader.chunk(chunk));
  reader.finish();
  return { profiles: reader.profiles, event: reader.event };
}
