import { beforeAll, describe, expect, it } from 'vitest';
import { PARTIAL, startTestServer, STATS, TREE, type TestServer } from './fakes.js';
import { http } from './http-client.js';

/** What could not be read is said where Pyroscope's answers have no place for it. */

let test: TestServer;

beforeAll(async () => {
  test = await startTestServer();
});

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const MERGE = {
  profileTypeID: CPU,
  labelSelector: '{}',
  start: '1763892000000',
  end: '1763895600000',
};

const connect = (method: string, body: object) =>
  http(`${test.url}/querier.v1.QuerierService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const get = (path: string) => http(`${test.url}${path}&from=1763892000&until=1763895600`);

const CALLS: readonly [string, () => ReturnType<typeof http>][] = [
  ['SelectMergeStacktraces', () => connect('SelectMergeStacktraces', MERGE)],
  ['Diff', () => connect('Diff', { left: MERGE, right: MERGE })],
  ['LabelNames', () => connect('LabelNames', { start: MERGE.start, end: MERGE.end })],
  ['render', () => get(`/pyroscope/render?query=${CPU}{}`)],
  ['render as a graph', () => get(`/pyroscope/render?format=dot&query=${CPU}{}`)],
  ['label-values', () => get('/pyroscope/label-values?label=pod')],
];

describe.each(CALLS)('%s', (_, call) => {
  it('says in headers what is missing', async () => {
    test.query.stats = PARTIAL;
    test.query.tree = { ...TREE, stats: PARTIAL };
    const { status, headers } = await call();
    expect([status, headers['basalt-partial']]).toEqual([200, 'true']);
    expect(JSON.parse(String(headers['basalt-stats']))).toEqual({
      missing: [{ part: 'block 01J', code: 'PS_BLOCK_CHECKSUM' }],
    });
  });

  it('has no such header when nothing is', async () => {
    test.query.stats = STATS;
    test.query.tree = TREE;
    const { status, headers } = await call();
    expect([status, headers['basalt-partial']]).toEqual([200, undefined]);
  });
});
