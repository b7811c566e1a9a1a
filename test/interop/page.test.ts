/** The web page in a real browser: what it shows of known profiles, view by view. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { interopClient } from '../support/interop-client.js';
import { type PlainProfile, plainPprof } from '../support/plain-pprof.js';
import { type ServerProcess, startServerProcess } from '../support/server-process.js';

const client = interopClient('browser');

const MINUTE_MS = 60_000;
/** Profiles of a pod on each side of the comparison, one every half minute. */
const PROFILES = 20;
const SECOND_NS = 1_000_000_000n;

interface View {
  readonly summary: string;
  readonly message: string;
  readonly only: string;
  readonly frames: readonly string[];
  readonly rows: readonly string[];
  readonly cells: number;
  readonly lines: number;
  readonly hash: string;
}

type Seen = Readonly<
  Record<'flame' | 'compare' | 'heatmap' | 'profile' | 'several' | 'growth', View>
> & { readonly found: string; readonly errors: readonly string[] };

/** `main` calls `work` and `rest`, a second together; some profiles have more of either. */
function cpuProfile(startMs: number, workMs: number): Uint8Array {
  const work = BigInt(workMs) * 1_000_000n;
  return plainPprof({
    types: [{ type: 'cpu', unit: 'nanoseconds' }],
    periodType: 'cpu',
    periodUnit: 'nanoseconds',
    startMs,
    durationMs: 10_000,
    samples: [
      { functions: ['main', 'work'], values: [work] },
      { functions: ['main', 'rest'], values: [SECOND_NS - work] },
    ],
  });
}

function heapProfile(startMs: number, keptMiB: number): Uint8Array {
  const sample = (name: string, mib: number): PlainProfile['samples'][number] => ({
    functions: ['main', name],
    values: [BigInt(mib) << 20n],
  });
  return plainPprof({
    types: [{ type: 'inuse_space', unit: 'bytes' }],
    periodType: 'space',
    periodUnit: 'bytes',
    startMs,
    samples: [sample('keep', keptMiB), sample('steady', 4)],
  });
}

async function write(server: ServerProcess, labels: readonly string[], body: Uint8Array) {
  const query = labels.map((label) => `label=${encodeURIComponent(label)}`).join('&');
  const response = await fetch(`http://${server.http}/api/v1/write?${query}`, {
    method: 'POST',
    body: new Uint8Array(body),
  });
  expect(response.status, await response.text()).toBe(200);
}

/** From 5 to 15 minutes ago `work` takes 60 % of the CPU, before that 20 %. One pod keeps 1 MiB more each minute. */
async function writeAll(server: ServerProcess): Promise<void> {
  const nowMs = Date.now();
  for (let i = 0; i < PROFILES; i++) {
    const noiseMs = (i % 5) * 10;
    const ages = [5 * MINUTE_MS + i * 25_000, 16 * MINUTE_MS + i * 25_000];
    for (const [side, ageMs] of ages.entries()) {
      const workMs = (side === 0 ? 600 : 200) + noiseMs;
      await write(
        server,
        ['service_name=shop', `pod=shop-${i % 2}`],
        cpuProfile(nowMs - ageMs, workMs),
      );
    }
  }
  for (let i = 0; i < 10; i++) {
    for (const pod of ['leak-1', 'leak-2']) {
      const body = heapProfile(nowMs - (11 - i) * MINUTE_MS, 1 + i);
      await write(server, ['service_name=leak', `pod=${pod}`, '__name__=memory'], body);
    }
  }
}

describe.skipIf(client.missing !== undefined)(`the page (${client.missing ?? 'there'})`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'basalt-page-'));
  let server: ServerProcess;
  let seen: Seen;

  beforeAll(async () => {
    server = await startServerProcess({
      dataDir: join(dir, 'data'),
      args: ['--no-self-profile'],
    });
    await writeAll(server);
    const answer = join(dir, 'seen.json');
    await client.run([`http://${server.http}/`, answer], { timeoutMs: 180_000 });
    seen = JSON.parse(readFileSync(answer, 'utf8')) as Seen;
  });

  afterAll(async () => {
    await server.kill();
    rmSync(dir, { recursive: true, force: true });
  });

  it('draws the flame graph and the functions of the last 15 minutes', () => {
    const { summary, frames, rows, lines } = seen.flame;
    expect(summary).toMatch(/^20\.00 s in 20 profiles of 2 series \(40 rows read\)$/);
    expect([...frames].sort()).toEqual(['main', 'rest', 'total', 'work']);
    expect(rows[0]).toMatch(/^12\.40 s62\.00 %12\.40 s62\.00 %workwork\.go$/);
    expect(lines).toBeGreaterThan(0);
    expect(seen.found).toBe('search: 12.40 s of 20.00 s (62.00 %)');
  });

  it('compares them with the time before', () => {
    const { summary, frames, rows, hash } = seen.compare;
    expect(summary).toContain('20.00 s in 20 profiles of 2 series; compared with 20.00 s in 20');
    expect([...frames].sort()).toEqual(['main', 'rest', 'total', 'work']);
    const change = '+40.00 pp22.00 % → 62.00 %';
    expect(rows).toContain(`${change}${change}workwork.go`);
    expect(hash).toContain('view=compare');
  });

  it('shows how many profiles had which value, and one of them alone', () => {
    expect(seen.heatmap.summary).toBe('how many of 20 profiles had which value');
    expect(seen.heatmap.cells).toBeGreaterThanOrEqual(10);
    expect(seen.profile.only.trim()).toMatch(/^only profile \S+$/);
    expect(seen.profile.summary).toMatch(/^1\.00 s in 1 profiles of 1 series/);
  });

  it('tells what grew before an instance died, and asks for one instance', () => {
    expect(seen.several.message).toMatch(/want/);
    const { summary, rows } = seen.growth;
    expect(summary).toMatch(/5\.00 MiB at .*14\.00 MiB at .*10 profiles\.$/);
    expect(rows).toEqual(['+9.00 MiB1.00 MiB → 10.00 MiBmain › keep']);
  });

  it('has no error in the console but that of the refused call', () => {
    expect(seen.errors.filter((error) => !/status of 4\d\d/.test(error))).toEqual([]);
    expect(seen.errors.length).toBeLessThanOrEqual(1);
  });
});
