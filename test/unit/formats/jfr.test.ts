/** JFR recordings of real JVMs against the stacks that another reader found in them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { type JfrKind, readJfr } from '../../../src/formats/jfr/jfr.js';
import { NO_JFR_LABELS, readJfrLabels } from '../../../src/formats/jfr/jfr-labels.js';
import type { StackProfile } from '../../../src/formats/stacks/stack-profile.js';
import { readPprof } from '../../support/read-pprof.js';
import { smallJfr } from '../../support/small-jfr.js';
import { encodeFields, len, num } from '../../support/wire-fields.js';

const FIXTURES = join(import.meta.dirname, '../../../../shared/fixtures/jfr');
const INTERVAL_NS = 10_000_000n;

const gunzip = (name: string): Buffer => gunzipSync(readFileSync(join(FIXTURES, name)));

/** `name:line;name:line [value]`, root first, sorted. */
function collapsed(profile: StackProfile | undefined): string[] {
  const bytes = profile?.toPprof({ sampleTypes: [{ type: 'a', unit: 'b' }] }) ?? new Uint8Array(0);
  return [...readPprof(bytes).rows(0)]
    .map(([key, value]) => {
      const [stack] = JSON.parse(key) as [string[]];
      const frames = stack.map((frame) => {
        const [name, , , , line] = frame.split('|');
        return `${name}:${line}`;
      });
      return `${frames.join(';')} [${value * INTERVAL_NS}]`;
    })
    .sort();
}

const CASES: readonly (readonly [string, string, JfrKind])[] = [
  ['cortex-dev-01__kafka-0__cpu__0', '0_process_cpu_cpu__nanoseconds', 'cpu'],
  ['cortex-dev-01__kafka-0__cpu_lock_alloc__0', '1_process_cpu_cpu__nanoseconds', 'cpu'],
  ['FastSlow_2024_01_16_180855', '1_process_cpu_cpu__nanoseconds', 'cpu'],
  ['FastSlow_2024_01_16_180855', '2_wall_wall__nanoseconds', 'wall'],
];

describe.skipIf(!existsSync(FIXTURES))('recordings of other projects', () => {
  it.each(CASES)('finds every stack of %s, %s', (name, what, kind) => {
    const { profiles } = readJfr(gunzip(`${name}.jfr.gz`), NO_JFR_LABELS);
    const wanted = gunzip(`${name}_${what}_expected_collapsed.txt.gz`).toString();
    expect(collapsed(profiles.get(kind))).toEqual(wanted.trim().split('\n').sort());
  });
});

/** Value `index` of `count` of each stack, with its labels behind it. */
const stacksOf = (profile: StackProfile | undefined, index = 0, count = 1): [string, bigint][] => {
  const types = Array.from({ length: count }, () => ({ type: 'a', unit: 'b' }));
  const bytes = profile?.toPprof({ sampleTypes: types }) ?? new Uint8Array(0);
  return [...readPprof(bytes).rows(index)].map(([key, value]) => {
    const [stack, labels] = JSON.parse(key) as [string[], string[]];
    const names = stack.map((frame) => frame.split('|')[0]).join(';');
    return [[names, ...labels].join(' '), value];
  });
};

const RUN = 'a/Shop.main;b/C$$Lambda_.run';

describe('recordings written byte by byte', () => {
  const labels = readJfrLabels(
    encodeFields([
      len(1, num(1, 5), len(2, len(1, num(1, 1), num(2, 2)))),
      len(1, num(1, 6), len(2, len(1, num(1, 1), num(2, 2)))),
      len(2, num(1, 1), len(2, 'vehicle')),
      len(2, num(1, 2), len(2, 'car')),
      len(2, num(1, 9), len(2, 'GET /')),
    ]),
  );

  it('gives samples the labels of their context and the ids of their span', () => {
    const sample = { stackTrace: 1, state: 1 };
    const recording = smallJfr([
      { type: 'jdk.ExecutionSample', fields: { ...sample, contextId: 5 } },
      { type: 'jdk.ExecutionSample', fields: { ...sample, contextId: 6 } },
      { type: 'jdk.ExecutionSample', fields: { ...sample, contextId: 7 } },
      {
        type: 'jdk.ExecutionSample',
        fields: { ...sample, contextId: 5, spanId: -2n, spanName: 9, traceIdHi: 1, traceIdLo: -1n },
      },
    ]);
    const { profiles, event } = readJfr(recording, labels);
    expect(event).toBe('');
    expect([...profiles.keys()]).toEqual(['cpu']);
    const span =
      'span_id=fffffffffffffffe span_name=GET / trace_id=0000000000000001ffffffffffffffff';
    expect(stacksOf(profiles.get('cpu'))).toEqual([
      [`${RUN} vehicle=car`, 2n],
      [RUN, 1n],
      [`${RUN} ${span} vehicle=car`, 1n],
    ]);
  });

  it('counts sleeping threads as time that passed and not as CPU', () => {
    const recording = smallJfr([
      { type: 'jdk.ExecutionSample', fields: { stackTrace: 1, state: 1 } },
      { type: 'jdk.ExecutionSample', fields: { stackTrace: 2, state: 2 } },
      // The setting counts for all of the recording, wherever it stands.
      { type: 'jdk.ActiveSetting', fields: { name: 'event', value: 'wall' } },
      { type: 'profiler.WallClockSample', fields: { stackTrace: 2, state: 2, samples: 4 } },
    ]);
    const { profiles, event } = readJfr(recording, NO_JFR_LABELS);
    expect(event).toBe('wall');
    expect(stacksOf(profiles.get('cpu'))).toEqual([[RUN, 1n]]);
    expect(new Map(stacksOf(profiles.get('wall')))).toEqual(
      new Map([
        ['a/Shop.main', 5n],
        [RUN, 1n],
      ]),
    );
  });

  it('reads allocations in bytes, locks in nanoseconds, and several chunks', () => {
    const chunk = smallJfr([
      { type: 'jdk.ObjectAllocationInNewTLAB', fields: { stackTrace: 1, tlabSize: 2 ** 40 } },
      { type: 'jdk.JavaMonitorEnter', fields: { stackTrace: 2, duration: 3 } },
      { type: 'profiler.LiveObject', fields: { stackTrace: 1 } },
    ]);
    const { profiles } = readJfr(Buffer.concat([chunk, chunk]), NO_JFR_LABELS);
    const of = (kind: JfrKind) => [0, 1].map((i) => stacksOf(profiles.get(kind), i, 2)[0]);
    expect(of('alloc-in-tlab')).toEqual([
      [RUN, 2n],
      [RUN, 2n ** 41n],
    ]);
    // A thousand ticks a second.
    expect(of('lock')).toEqual([
      ['a/Shop.main', 2n],
      ['a/Shop.main', 6_000_000n],
    ]);
    expect(stacksOf(profiles.get('live'))).toEqual([[RUN, 2n]]);
  });

  it('refuses a recording that is cut off anywhere', () => {
    const whole = smallJfr([{ type: 'jdk.ExecutionSample', fields: { stackTrace: 1, state: 1 } }]);
    for (let size = 0; size < whole.length; size++) {
      expect(() => readJfr(whole.subarray(0, size), NO_JFR_LABELS)).toThrow(StoreError);
    }
  });
});
