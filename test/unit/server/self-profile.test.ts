import { Worker } from 'node:worker_threads';
import { Profile } from 'pprof-format';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/env/clock.js';
import type { WriteRequest } from '../../../src/ingest/api.js';
import { startSelfProfile, type SelfProfile } from '../../../src/server/self-profile.js';
import { workerName } from '../../../src/server/v8-session.js';

let worker: Worker | undefined;
let selfProfile: SelfProfile | undefined;

afterEach(async () => {
  await selfProfile?.close();
  await worker?.terminate();
  selfProfile = undefined;
  worker = undefined;
});

function busyWorker(): Worker {
  const code = `
    function busyInWorker() { let x = 0; for (let i = 0; i < 2e6; i++) x += Math.sqrt(i); return x; }
    setInterval(busyInWorker, 1);`;
  return new Worker(code, { eval: true, name: 'ingest' });
}

function label(request: WriteRequest, name: string): string | undefined {
  return request.labels.find((l) => l.name === name)?.value;
}

/** What a request says it is, and the names of its functions. */
function summary(request: WriteRequest): { key: string; functions: string[]; profile: Profile } {
  const profile = Profile.decode(gunzipSync(request.profile));
  const functions = profile.function.map((f) => profile.stringTable.strings[Number(f.name)] ?? '');
  const key = ['service_name', 'namespace', '__name__', 'thread']
    .map((name) => label(request, name))
    .join(' ');
  return { key, functions, profile };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition() && performance.now() < deadline) await systemClock.sleep(20);
}

describe('startSelfProfile', () => {
  it('profiles the main thread and workers, those of later too', async () => {
    const written: WriteRequest[] = [];
    const errors: unknown[] = [];
    const startedMs = Date.now();
    selfProfile = await startSelfProfile({
      write: async (request) => written.push(request),
      clock: systemClock,
      report: (error) => errors.push(error),
      labels: [{ name: 'instance', value: 'a' }],
      firstSliceMs: 300,
      sliceMs: 300,
    });
    worker = busyWorker();
    const keys = (): Set<string> => new Set(written.map((request) => summary(request).key));
    await until(() => keys().size >= 4);
    expect(errors).toEqual([]);
    expect([...keys()].sort()).toEqual([
      'basalt basalt memory ingest',
      'basalt basalt memory main',
      'basalt basalt process_cpu ingest',
      'basalt basalt process_cpu main',
    ]);
    const cpu = written.map(summary).find((s) => s.key === 'basalt basalt process_cpu ingest');
    expect(cpu?.functions).toContain('busyInWorker');
    expect(cpu?.functions).not.toContain('(idle)');
    const startMs = Number(cpu?.profile.timeNanos) / 1e6;
    expect(startMs).toBeGreaterThanOrEqual(startedMs - 1);
    expect(startMs).toBeLessThanOrEqual(Date.now());
    expect(label(written[0] as WriteRequest, 'instance')).toBe('a');
  });

  it('goes on after a slice that could not be stored, and after a worker ended', async () => {
    const errors: unknown[] = [];
    let calls = 0;
    selfProfile = await startSelfProfile({
      write: () => {
        calls += 1;
        return Promise.reject(new Error('full'));
      },
      clock: systemClock,
      report: (error) => errors.push(error),
      firstSliceMs: 50,
      sliceMs: 50,
    });
    worker = busyWorker();
    await until(() => calls >= 4);
    await worker.terminate();
    const before = calls;
    await until(() => calls >= before + 2);
    expect(calls).toBeGreaterThanOrEqual(before + 2);
    expect(new Set(errors.map(String))).toEqual(new Set(['Error: full']));
  });

  it('stops', async () => {
    let calls = 0;
    selfProfile = await startSelfProfile({
      write: async () => {
        calls += 1;
      },
      clock: systemClock,
      firstSliceMs: 30,
      sliceMs: 30,
    });
    expect(selfProfile.status).toBe('running');
    await until(() => calls >= 2);
    await selfProfile.close();
    await selfProfile.close();
    expect(selfProfile.status).toBe('closed');
    const after = calls;
    await systemClock.sleep(100);
    expect(calls).toBe(after);
  });
});

describe('workerName', () => {
  it.each([
    ['[worker 1] ingest', '1', 'ingest'],
    ['[worker 2] ', '2', 'worker-2'],
    ['Worker 3', '3', 'worker-3'],
  ])('%s', (title, id, expected) => {
    expect(workerName(title, id)).toBe(expected);
  });
});
