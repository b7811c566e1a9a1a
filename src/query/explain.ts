/** What a query did: where its profiles lay, what was read of each place, and how long each stage took. */
import type { ReadCosts } from '../env/read-meter.js';
import type { Clock } from '../env/clock.js';
import type { PartPlan, QueryPlan, StageTime } from './api.js';
import { profileCount, type ProfileSource } from './source.js';

/** Times of consecutive stages. */
export class Stopwatch {
  readonly #clock: Clock;
  readonly #stages: StageTime[] = [];
  #lastMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
  }

  /** A stage ended, which began when the last one did. */
  lap(stage: StageTime['stage']): void {
    const nowMs = this.#clock.monotonicMs();
    this.#stages.push({ stage, ms: nowMs - this.#lastMs });
    this.#lastMs = nowMs;
  }

  get stages(): readonly StageTime[] {
    return this.#stages;
  }
}

/** One for each block or segment with a selected profile, and for each rollup of it that is used; by name. */
export function partPlans(
  sources: readonly ProfileSource[],
  reads: ReadCosts,
): readonly PartPlan[] {
  const parts = new Map<string, Mutable>();
  for (const source of sources) {
    const width = source.rolledUp?.width ?? '';
    const key = JSON.stringify([source.part, width]);
    const own = parts.get(key) ?? { ...NOTHING, part: source.part, rollup: width };
    parts.set(key, own);
    own.tiles += source.rolledUp?.tiles ?? 0;
    own.series += new Set(source.slices.map((slice) => slice.series)).size;
    for (const slice of source.slices) {
      own.profiles += profileCount(source.profiles, slice);
      own.rows += source.rowCount(slice);
    }
  }
  const plans = [...parts.values()].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
  const charged = new Set<string>();
  return plans.map((plan) => ({
    ...plan,
    ...(charged.has(plan.part) ? NO_READS : costOf(plan.part)),
  }));

  /** A block's tables are read together: the first of its lines has what they cost. */
  function costOf(part: string): { requests: number; bytes: number } {
    charged.add(part);
    const folder = `/${part.slice(part.indexOf(' ') + 1)}/`;
    const cost = { ...NO_READS };
    for (const [name, { requests, bytes }] of reads) {
      if (name !== part && !name.includes(folder)) continue;
      cost.requests += requests;
      cost.bytes += bytes;
    }
    return cost;
  }
}

type Mutable = { -readonly [K in keyof PartPlan]: PartPlan[K] };

const NO_READS = { requests: 0, bytes: 0 };
const NOTHING = { tiles: 0, series: 0, profiles: 0, rows: 0, ...NO_READS };

const textOf = ({ part, rollup }: PartPlan): string => `${part} ${rollup}`;

export function totalReads(reads: ReadCosts): Pick<QueryPlan, 'requests' | 'bytes'> {
  let requests = 0;
  let bytes = 0;
  for (const cost of reads.values()) {
    requests += cost.requests;
    bytes += cost.bytes;
  }
  return { requests, bytes };
}
