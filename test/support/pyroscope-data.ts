/** Known profiles behind a real server, for tests of Pyroscope's read side. */
import { http } from '../unit/server/http-client.js';
import { plainPprof } from './plain-pprof.js';
import { type ServedStore, servedStore } from './served-store.js';

export const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
export const SAMPLES = 'process_cpu:samples:count:cpu:nanoseconds';
export const HEAP = 'memory:inuse_space:bytes:space:bytes';
export const T0_MS = 1_790_000_000_000;
/** Both ends included: all of it. */
export const RANGE = { start: String(T0_MS), end: String(T0_MS + 60_000) };
export const SPAN_A = '00000000000000aa';
export const SPAN_B = '00000000000000bb';
export const TRACE = '0123456789abcdef0123456789abcdef';

interface Sent {
  readonly tenant?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly atMs: number;
  readonly id: string;
  readonly kind: 'cpu' | 'heap';
  readonly samples: readonly {
    readonly stack: string;
    readonly value: bigint;
    readonly labels?: Readonly<Record<string, string>>;
  }[];
}

/** CPU of two pods, spans among it; a gauge of one of them, twice; another tenant. */
export const SENT: readonly Sent[] = [
  {
    labels: { service_name: 'shop', pod: 'a', 'k8s.pod.name': 'a-1' },
    atMs: T0_MS,
    id: 'cpu-1',
    kind: 'cpu',
    samples: [
      { stack: 'main;work;leaf', value: 100n },
      { stack: 'main;work', value: 10n, labels: { span_id: SPAN_A, trace_id: TRACE } },
      { stack: 'main;idle', value: 1n },
    ],
  },
  {
    labels: { service_name: 'shop', pod: 'a', 'k8s.pod.name': 'a-1' },
    atMs: T0_MS + 20_000,
    id: 'cpu-2',
    kind: 'cpu',
    samples: [
      { stack: 'main;work;leaf', value: 1_000n, labels: { profile_id: SPAN_B } },
      { stack: '/app/main.js:run:7', value: 3n },
    ],
  },
  {
    labels: { service_name: 'shop', pod: 'b' },
    atMs: T0_MS + 20_000,
    id: 'cpu-3',
    kind: 'cpu',
    samples: [{ stack: 'main;work;leaf', value: 5n }],
  },
  ...[T0_MS, T0_MS + 20_000].map((atMs, i) => ({
    labels: { service_name: 'shop', pod: 'a' },
    atMs,
    id: `heap-${i}`,
    kind: 'heap' as const,
    samples: [{ stack: 'main;cache', value: 4_096n }],
  })),
  {
    tenant: 'other',
    labels: { service_name: 'shop', pod: 'a' },
    atMs: T0_MS,
    id: 'cpu-9',
    kind: 'cpu',
    samples: [{ stack: 'main;theirs', value: 7n }],
  },
];

function pprofOf({ kind, atMs, samples }: Sent): Uint8Array {
  const isCpu = kind === 'cpu';
  return plainPprof({
    types: isCpu
      ? [
          { type: 'samples', unit: 'count' },
          { type: 'cpu', unit: 'nanoseconds' },
        ]
      : [{ type: 'inuse_space', unit: 'bytes' }],
    periodType: isCpu ? 'cpu' : 'space',
    periodUnit: isCpu ? 'nanoseconds' : 'bytes',
    startMs: atMs,
    durationMs: isCpu ? 10_000 : 0,
    samples: samples.map(({ stack, value, labels }) => ({
      functions: stack.split(';'),
      values: isCpu ? [1n, value] : [value],
      ...(labels === undefined ? {} : { labels }),
    })),
  });
}

export async function pyroscopeStore(): Promise<ServedStore> {
  const served = await servedStore();
  for (const sent of SENT) {
    const name = sent.kind === 'cpu' ? 'process_cpu' : 'memory';
    const labels = Object.entries({ ...sent.labels, __name__: name });
    const query = labels.map(([n, v]) => `label=${encodeURIComponent(`${n}=${v}`)}`).join('&');
    const answer = await http(`${served.url}/api/v1/write?${query}&profile_id=${sent.id}`, {
      method: 'POST',
      body: pprofOf(sent),
      headers: sent.tenant === undefined ? {} : { 'x-scope-orgid': sent.tenant },
    });
    if (answer.status !== 200) throw new Error(answer.body.toString());
  }
  return served;
}

/** Values by stack of what was sent, over the profiles and samples that `keeps` chooses. */
export function sentStacks(
  kind: Sent['kind'],
  keeps: (profile: Sent, sample: Sent['samples'][number]) => boolean = () => true,
  tenants: readonly string[] = ['anonymous'],
): Record<string, bigint> {
  const out: Record<string, bigint> = {};
  for (const profile of SENT) {
    if (profile.kind !== kind || !tenants.includes(profile.tenant ?? 'anonymous')) continue;
    for (const sample of profile.samples) {
      if (keeps(profile, sample)) out[sample.stack] = (out[sample.stack] ?? 0n) + sample.value;
    }
  }
  return out;
}
