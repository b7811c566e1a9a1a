/**
 * Days of a service made of recorded CPU profiles, in which one function gets slower or none does. Each profile is a recorded
 * one, drawn by a seeded generator, with a load of its own.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import type { PlainProfile } from './plain-store.js';
import { memoryStore, TENANT } from './query-store.js';

export const CORPUS = join(import.meta.dirname, '..', '..', '..', 'shared', 'corpus');
export const STEPS = 48;
export const STEP_MS = 1_800_000;
export const TYPE = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const PROFILES_A_STEP = 4;

/** Value by stack, names from the root on, as JSON. */
type Stacks = ReadonlyMap<string, number>;

/** Undefined where there are no recordings. */
export function recordedStacks(service: string, filesMax: number): readonly Stacks[] | undefined {
  const versions = join(CORPUS, service);
  if (!existsSync(versions)) return undefined;
  const dir = join(versions, readdirSync(versions).sort()[0]!, 'cpu');
  return readdirSync(dir)
    .filter((name) => name.endsWith('.pb.gz'))
    .sort()
    .slice(0, filesMax)
    .map((name) => stacksOf(Profile.decode(gunzipSync(readFileSync(join(dir, name))))));
}

function stacksOf(profile: Profile): Stacks {
  const strings = profile.stringTable.strings;
  const functions = new Map(profile.function.map((f) => [Number(f.id), strings[Number(f.name)]!]));
  const locations = new Map(
    profile.location.map((l) => [
      Number(l.id),
      l.line.map((line) => functions.get(Number(line.functionId))!),
    ]),
  );
  const cpu = profile.sampleType.findIndex((t) => strings[Number(t.type)] === 'cpu');
  const out = new Map<string, number>();
  for (const sample of profile.sample) {
    const leafFirst = sample.locationId.flatMap((id) => locations.get(Number(id)) ?? []);
    const key = JSON.stringify(leafFirst.reverse());
    out.set(key, (out.get(key) ?? 0) + Number(sample.value[cpu]));
  }
  return out;
}

/** A function that takes more from a step on. */
export interface Planted {
  readonly functionName: string;
  /** A stack of it, as JSON. */
  readonly stack: string;
  /** Of all CPU, after the change. */
  readonly share: number;
  readonly atStep: number;
}

export function plant(random: () => number, recorded: readonly Stacks[], share: number): Planted {
  const profile = recorded[Math.floor(random() * recorded.length)]!;
  const stacks = [...profile.keys()].filter((key) => key !== '[]');
  const stack = stacks[Math.floor(random() * stacks.length)]!;
  const functionName = (JSON.parse(stack) as string[]).at(-1)!;
  return { functionName, stack, share, atStep: 8 + Math.floor(random() * (STEPS - 16)) };
}

const SERIES = {
  service: 'planted',
  profileName: 'process_cpu',
  labels: [{ name: 'service_name', value: 'planted' }],
  periodType: 'cpu',
  periodUnit: 'nanoseconds',
  sampleTypes: [{ type: 'cpu', unit: 'nanoseconds', temporality: 'delta' as const }],
  group: 0,
};

/** What a search for regressions finds in such a day. */
export async function searchDay(
  random: () => number,
  recorded: readonly Stacks[],
  planted?: Planted,
) {
  const profiles: PlainProfile[] = [];
  for (let i = 0; i < STEPS * PROFILES_A_STEP; i++) {
    const stacks = new Map(recorded[Math.floor(random() * recorded.length)]!);
    const load = Math.exp((random() - 0.5) * 0.6);
    const startMs = ((i + random()) * STEP_MS) / PROFILES_A_STEP;
    if (planted !== undefined && startMs >= planted.atStep * STEP_MS) {
      const all = [...stacks.values()].reduce((sum, value) => sum + value, 0);
      const extra = (all * planted.share) / (1 - planted.share);
      stacks.set(planted.stack, (stacks.get(planted.stack) ?? 0) + extra);
    }
    const samples = [...stacks].map(([key, value]) => ({
      functions: JSON.parse(key) as string[],
      labelSet: '',
      values: [BigInt(Math.round(value * load))],
    }));
    const startNs = BigInt(Math.floor(startMs)) * 1_000_000n;
    profiles.push({ series: SERIES, startNs, id: `p-${i}`, flags: 0, samples } as never);
  }
  const { engine } = memoryStore(profiles, { consumedBeforeNs: 0n, placeOf: () => 0 });
  return engine.regressions({
    tenantId: TENANT,
    selector: '{service_name="planted"}',
    startMs: 0,
    endMs: STEPS * STEP_MS,
    profileType: TYPE,
  });
}
