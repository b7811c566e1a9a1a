/**
 * How the values of a type relate over time, when that follows from what the type is.
 *
 * | sample type | temporality |
 * |---|---|
 * | `inuse_objects`, `inuse_space`; `objects`, `space` of a heap (period type `space`) | gauge |
 * | `goroutine`, `goroutines`, `threadcreate` | gauge |
 * | `alloc_objects`, `alloc_space` | cumulative unless the profile carries a duration |
 * | `contentions`, `delay` | cumulative unless the profile carries a duration |
 * | everything else: `cpu`, `wall`, `samples`, unknown ones | delta |
 *
 * A duration says that the counter was read twice, and that the profile is the difference. Unknown types are deltas
 * with or without one: adding up is what pprof's own tools do with them.
 *
 * What the sender says (`temporality` of the request) goes before the table, except that a type which the table calls
 * a gauge stays one: a heap profile that is called cumulative means its `alloc_*`, and subtracting `inuse_*` would
 * corrupt it.
 */
import type { Temporality } from './series.js';

const GAUGES: ReadonlySet<string> = new Set([
  'inuse_objects',
  'inuse_space',
  'goroutine',
  'goroutines',
  'threadcreate',
]);

/** Gauges only in a heap profile: V8 and tcmalloc call their live bytes so. */
const HEAP_GAUGES: ReadonlySet<string> = new Set(['objects', 'space']);

const COUNTERS: ReadonlySet<string> = new Set([
  'alloc_objects',
  'alloc_space',
  'contentions',
  'delay',
]);

export interface TemporalityQuestion {
  readonly sampleType: string;
  readonly periodType: string;
  /** 0 when the profile does not carry one. */
  readonly durationNs: bigint;
  /** What the sender said. */
  readonly requested?: Temporality | undefined;
}

export function temporalityOf(question: TemporalityQuestion): Temporality {
  const { sampleType, periodType, durationNs, requested } = question;
  if (GAUGES.has(sampleType)) return 'gauge';
  if (periodType === 'space' && HEAP_GAUGES.has(sampleType)) return 'gauge';
  if (requested !== undefined) return requested;
  if (COUNTERS.has(sampleType) && durationNs === 0n) return 'cumulative';
  return 'delta';
}
