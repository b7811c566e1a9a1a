/**
 * Profiles that each have a function of their own, so that an answer says exactly which of them count, and how often.
 *
 * *Marked* profiles are deltas: profile n has `profile-n` with the value n + 1, and `shared` with 1. *Growth* profiles
 * are the steps of one cumulative series: step k brings `step-k`, which stays as it is from then on, so the delta of
 * step k is that function alone. Step 0 has nothing before it and counts nothing.
 */
import { expect } from 'vitest';
import type { MissingPart, QueryApi, WriteRequest } from '../../src/index.js';
import { plainPprof } from './plain-pprof.js';

export const MARKED_TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
export const GROWTH_TYPE = 'growth:bytes:bytes:space:bytes';
const START_MS = 1_790_000_000_000;
const LINE = /^main;(profile|step|shared)(?:-(\d+))? (\d+)$/;

export function markedWrite(n: number): WriteRequest {
  return {
    labels: [
      { name: '__name__', value: 'process_cpu' },
      { name: 'pod', value: `pod-${n % 2}` },
      { name: 'service_name', value: `svc-${n % 3}` },
    ],
    profile: plainPprof({
      types: [{ type: 'cpu', unit: 'nanoseconds' }],
      periodType: 'cpu',
      periodUnit: 'nanoseconds',
      startMs: START_MS + n * 1_000,
      durationMs: 1_000,
      samples: [
        { functions: ['main', `profile-${n}`], values: [BigInt(n + 1)] },
        { functions: ['main', 'shared'], values: [1n] },
      ],
    }),
    profileId: `id-${n}`,
    temporality: 'delta',
  };
}

export function growthWrite(step: number): WriteRequest {
  return {
    labels: [
      { name: '__name__', value: 'growth' },
      { name: 'service_name', value: 'svc-0' },
    ],
    profile: plainPprof({
      types: [{ type: 'bytes', unit: 'bytes' }],
      periodType: 'space',
      periodUnit: 'bytes',
      startMs: START_MS + step * 1_000,
      samples: Array.from({ length: step + 1 }, (_, k) => ({
        functions: ['main', `step-${k}`],
        values: [growthOf(k)],
      })),
    }),
    profileId: `step-${step}`,
    temporality: 'cumulative',
  };
}

function growthOf(step: number): bigint {
  return BigInt(10 * (step + 1));
}

export interface MarkedAnswer {
  /** Profiles that count. */
  readonly marked: ReadonlySet<number>;
  /** Steps whose delta counts. */
  readonly steps: ReadonlySet<number>;
  readonly missing: readonly MissingPart[];
}

/** Throws when any value is other than right or absent. What a query throws passes through. */
export async function readMarked(query: QueryApi, tenantId = 'anonymous'): Promise<MarkedAnswer> {
  const all = { tenantId, selector: '{}', startMs: 0, endMs: 9_000_000_000_000 };
  const cpu = await query.mergeFolded({ ...all, profileType: MARKED_TYPE });
  const growth = await query.mergeFolded({ ...all, profileType: GROWTH_TYPE });
  const own = linesOf(cpu.body);
  const shared = own.get('shared') ?? 0n;
  own.delete('shared');
  for (const [name, value] of own) expect(value, name).toBe(numberOf('profile', name) + 1n);
  expect(shared, 'shared, one for each profile').toBe(BigInt(own.size));
  const steps = linesOf(growth.body);
  for (const [name, value] of steps) {
    expect(value, name).toBe(growthOf(Number(numberOf('step', name))));
  }
  return {
    marked: new Set([...own.keys()].map((name) => Number(numberOf('profile', name)))),
    steps: new Set([...steps.keys()].map((name) => Number(numberOf('step', name)))),
    missing: [...cpu.stats.missing, ...growth.stats.missing],
  };
}

function linesOf(body: Uint8Array): Map<string, bigint> {
  const values = new Map<string, bigint>();
  for (const line of Buffer.from(body).toString().split('\n')) {
    if (line === '') continue;
    const match = LINE.exec(line);
    expect(match, `a line that nobody wrote: ${JSON.stringify(line)}`).not.toBeNull();
    const [, kind, number, value] = match as RegExpExecArray;
    values.set(number === undefined ? 'shared' : `${kind}-${number}`, BigInt(value as string));
  }
  return values;
}

function numberOf(kind: string, name: string): bigint {
  expect(name).toMatch(new RegExp(`^${kind}-`));
  return BigInt(name.slice(kind.length + 1));
}

/** The numbers from `start` to before `end`. */
export function numbers(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}
