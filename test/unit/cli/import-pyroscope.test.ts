import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importPyroscope, type PyroscopeImport } from '../../../src/cli/import-pyroscope.js';
import { pprofFacts, withTime } from '../../../src/cli/imported-profile.js';
import { openSink } from '../../../src/cli/profile-sink.js';
import { exactSelectors } from '../../../src/cli/pyroscope-source.js';
import type { CommandIo } from '../../../src/cli/command.js';
import { LossyFiles } from '../../support/lossy-files.js';
import { CPU, HEAP, pyroscopeStore, SAMPLES, T0_MS } from '../../support/pyroscope-data.js';
import { type ServedStore, SERVED_NOW_MS, servedStore } from '../../support/served-store.js';
import { inflate, readPprof } from '../../support/read-pprof.js';
import { smallCpuProfile } from '../../support/small-profile.js';
import { http } from '../server/http-client.js';

/** A copy through Pyroscope's read API, from a store that speaks it, whole and with breaks. */

let source: ServedStore;
let target: ServedStore;
let proxy: Server;
let proxyUrl: string;
/** What the proxy answers instead of asking the source: by the number of the call. */
let broken: (call: number) => number | undefined;
let calls: number;
let files: LossyFiles;

beforeEach(async () => {
  [source, target] = await Promise.all([pyroscopeStore(), servedStore()]);
  broken = () => undefined;
  calls = 0;
  files = new LossyFiles();
  await files.makeDir('/work');
  proxy = createServer((request, response) => {
    const status = broken(++calls);
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      if (status !== undefined) {
        response.writeHead(status).end();
        return;
      }
      const headers = request.headers as Record<string, string>;
      void http(`${source.url}${request.url}`, {
        method: 'POST',
        headers,
        body: Buffer.concat(parts),
      }).then((answer) => response.writeHead(answer.status, answer.headers).end(answer.body));
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});

afterEach(async () => {
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  await Promise.all([source.close(), target.close()]);
});

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function copy(options: Partial<PyroscopeImport> = {}): Promise<Run> {
  const texts = { out: '', err: '' };
  const io: CommandIo = {
    environment: {},
    files,
    clock: { nowMs: () => SERVED_NOW_MS, monotonicMs: () => 0, sleep: async () => undefined },
    workingDirectory: '/work',
    progressColumns: undefined,
    out: async (text) => {
      texts.out += String(text);
    },
    err: (text) => {
      texts.err += text;
    },
    signal: new AbortController().signal,
  };
  const sink = await openSink(io, { server: target.url, data: undefined, tenant: '' } as never);
  try {
    const code = await importPyroscope({
      io,
      sink,
      target: target.url,
      url: proxyUrl,
      sourceTenant: '',
      sourceHeaders: [],
      selector: '{}',
      from: String(T0_MS),
      to: String(T0_MS + 60_000),
      slice: '15s',
      statePath: 'state.json',
      parallel: 3,
      ...options,
    });
    return { code, ...texts };
  } finally {
    await sink.close();
  }
}

async function expectSame(): Promise<void> {
  expect(await target.series()).toEqual(await source.series());
  expect(await target.types()).toEqual(await source.types());
  for (const type of [CPU, SAMPLES, HEAP]) {
    expect(await target.rows(type)).toEqual(await source.rows(type));
    // The timelines too, pod by pod.
    const query = new URLSearchParams({ type, start: String(T0_MS), end: String(T0_MS + 60_000) });
    query.append('step', '15s');
    query.append('groupBy', 'pod');
    const timeline = async ({ url }: ServedStore): Promise<unknown> =>
      JSON.parse((await http(`${url}/api/v1/timeseries?${query}`)).body.toString()).series;
    expect(await timeline(target)).toEqual(await timeline(source));
  }
}

describe('basalt import --from-pyroscope', () => {
  it('copies everything: series with all labels, samples with theirs, time by slices', async () => {
    const { code, out, err } = await copy();
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^8 profiles, \d+ samples imported, .*; 0 differences\n$/);
    await expectSame();
  });

  it('goes on where it was, and counts nothing twice', async () => {
    // Dies in the middle of the hour, for a reason that no patience helps.
    broken = (call) => (call > 15 ? 404 : undefined);
    await expect(copy()).rejects.toMatchObject({ kind: 'invalid' });
    broken = () => undefined;
    await copy({ to: String(T0_MS + 15_000) });
    const again = await copy();
    expect(again.code).toBe(0);
    await expectSame();
    calls = 0;
    const idle = await copy();
    expect(idle.out).toMatch(/^0 profiles/);
    expect(calls).toBe(0);
  });

  it('is patient with a source that is busy or away for a while', async () => {
    broken = (call) => (call % 3 === 0 ? 503 : call % 7 === 0 ? 502 : undefined);
    expect((await copy()).code).toBe(0);
    await expectSame();
  });

  it('gives up when the source stays away', async () => {
    broken = () => 503;
    await expect(copy()).rejects.toMatchObject({ kind: 'unavailable' });
    expect(calls).toBe(8);
  });

  it('says when what came is not what the source has', async () => {
    // One answer in the middle is lost: an empty body is an empty profile.
    broken = (call) => (call === 30 ? 200 : undefined);
    const first = await copy({ parallel: 1, selector: '{pod="b"}', from: String(T0_MS + 15_000) });
    broken = (call) => (call > 3 && call < 1_000 ? 200 : undefined);
    calls = 0;
    const second = await copy({ parallel: 1, statePath: 'other.json' }).catch((e: Error) => e);
    expect(first.code).toBe(0);
    expect(second).toMatchObject({ code: 1 });
    expect((second as Run).err).toContain('the source says');
  });

  it('copies a selection', async () => {
    expect((await copy({ selector: '{pod="b"}' })).code).toBe(0);
    expect(await target.rows(CPU)).toEqual(await source.rows(CPU, '{pod="b"}'));
  });

  it('does not take the state of another copy', async () => {
    await copy();
    await expect(copy({ selector: '{pod="b"}' })).rejects.toMatchObject({ code: 'PS_CLI_IMPORT' });
    await expect(copy({ slice: '7s' })).rejects.toMatchObject({ code: 'PS_CLI_IMPORT' });
    await expect(copy({ target: 'else' })).rejects.toMatchObject({ code: 'PS_CLI_IMPORT' });
  });

  it('refuses what is before the start of the copy, rather than skip it', async () => {
    const later = { from: String(T0_MS + 30_000) };
    await copy(later);
    await expect(copy()).rejects.toMatchObject({
      code: 'PS_CLI_IMPORT',
      message: expect.stringMatching(/got --from 2026-\S+; want 2026-\S+, where that copy began/),
    });
    expect((await copy(later)).out).toMatch(/^0 profiles/);
    // Beyond a gap the copy begins anew, and what is before it is refused as well.
    const beyond = { from: String(T0_MS + 90_000), to: String(T0_MS + 120_000) };
    expect((await copy(beyond)).code).toBe(0);
    await expect(copy(later)).rejects.toMatchObject({ code: 'PS_CLI_IMPORT' });
    expect((await copy({ statePath: 'other.json' })).code).toBe(0);
    await expectSame();
  });
});

describe('parts', () => {
  it('selects one series where another has more labels', () => {
    const a = [{ name: 'a', value: 'x"y' }];
    const both = [...a, { name: 'k8s.pod', value: 'z' }];
    expect(exactSelectors([a, both], '{c="d",}').map((s) => s.selector)).toEqual([
      '{c="d",a="x\\"y","k8s.pod"=""}',
      '{c="d",a="x\\"y","k8s.pod"="z"}',
    ]);
  });

  it('reads and moves a pprof', () => {
    const pprof = inflate(smallCpuProfile(T0_MS));
    expect(pprofFacts(pprof)).toEqual({
      samples: 2,
      total: 400n,
      timeNs: BigInt(T0_MS) * 1_000_000n,
    });
    const moved = withTime(pprof, 42n);
    expect(pprofFacts(moved).timeNs).toBe(42n);
    expect(readPprof(moved).rows(1)).toEqual(readPprof(pprof).rows(1));
    expect(pprofFacts(new Uint8Array(0))).toEqual({ samples: 0, total: 0n, timeNs: 0n });
  });
});
