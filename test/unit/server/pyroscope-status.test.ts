import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CPU, HEAP, pyroscopeStore, RANGE } from '../../support/pyroscope-data.js';
import type { ServedStore } from '../../support/served-store.js';
import { http } from './http-client.js';

/** The status matrix of Pyroscope's read side: what it takes, what it refuses, and with which status. */

let store: ServedStore;

beforeAll(async () => {
  store = await pyroscopeStore();
});

afterAll(async () => {
  await store.close();
});

const SELECTOR = '{service_name="shop"}';
const MERGE = { profileTypeID: CPU, labelSelector: SELECTOR, ...RANGE };

/** A request as JSON, or the body itself. */
type Row = readonly [string, number, object | string];

const without = (request: object, ...names: string[]): object =>
  Object.fromEntries(Object.entries(request).filter(([name]) => !names.includes(name)));

const RANGES = (valid: object): Row[] => [
  ['no range', 400, without(valid, 'start', 'end')],
  ['start after end', 400, { ...valid, start: RANGE.end, end: RANGE.start }],
  ['no start', 400, without(valid, 'start')],
  ['no end', 400, without(valid, 'end')],
  ['text for a time', 400, { ...valid, start: 'yesterday' }],
  ['numbers for times', 200, { ...valid, start: Number(RANGE.start), end: Number(RANGE.end) }],
  ['times past 2^53', 400, { ...valid, end: '9223372036854775807' }],
  ['a range without data', 200, { ...valid, start: '1', end: '2' }],
];

const BODIES: Row[] = [
  ['broken JSON', 400, '{"start":'],
  ['an empty body', 400, ''],
];

const MERGES = (valid: object): Row[] => [
  ['valid', 200, valid],
  ['a field of tomorrow', 200, { ...valid, whatIsNext: { deep: 1 } }],
  ['no profile type', 400, without(valid, 'profileTypeID')],
  ['an empty profile type', 400, { ...valid, profileTypeID: '' }],
  ['a bad profile type', 400, { ...valid, profileTypeID: 'cpu' }],
  ['no selector', 400, without(valid, 'labelSelector')],
  ['an empty selector', 400, { ...valid, labelSelector: '' }],
  ['a selector of nothing', 200, { ...valid, labelSelector: '{}' }],
  ['a bad selector', 400, { ...valid, labelSelector: '{service_name=' }],
  ['a selector without braces', 400, { ...valid, labelSelector: 'service_name="shop"' }],
  ['a bad regular expression', 400, { ...valid, labelSelector: '{a=~"("}' }],
  ...RANGES(valid),
  ...BODIES,
];

const NODES = (valid: object): Row[] => [
  ['max_nodes', 200, { ...valid, maxNodes: '10' }],
  ['max_nodes 0', 200, { ...valid, maxNodes: '0' }],
  ['max_nodes 1048576', 200, { ...valid, maxNodes: '1048576' }],
  ['max_nodes past the limit', 400, { ...valid, maxNodes: '1048577' }],
];

const LIST = { ...RANGE, matchers: [SELECTOR] };
const LISTS = (valid: object): Row[] => [
  ['valid', 200, valid],
  ['no matchers', 200, without(valid, 'matchers')],
  ['a bad matcher', 400, { ...valid, matchers: ['{a='] }],
  ...RANGES(valid),
  ...BODIES,
];

const SPAN = { ...MERGE, spanSelector: ['00000000000000aa'] };
const SIDES = { left: MERGE, right: MERGE };

const METHODS: readonly (readonly [string, Row[]])[] = [
  [
    'ProfileTypes',
    [
      ['valid', 200, RANGE],
      ['a range of zeros', 200, { start: '0', end: '0' }],
      ['no range', 200, {}],
      ['negative times', 200, { start: '-2', end: '-1' }],
      ['start after end', 400, { start: RANGE.end, end: RANGE.start }],
      ['text for a time', 400, { start: 'x', end: 'y' }],
      ...BODIES,
    ],
  ],
  ['LabelNames', LISTS(LIST)],
  ['Series', [...LISTS(LIST), ['label names', 200, { ...LIST, labelNames: ['pod'] }]]],
  [
    'LabelValues',
    [
      ...LISTS({ ...LIST, name: 'pod' }),
      ['no name', 400, LIST],
      ['an empty name', 400, { ...LIST, name: '' }],
    ],
  ],
  [
    'SelectMergeStacktraces',
    [
      ...MERGES(MERGE),
      ...NODES(MERGE),
      ['format TREE', 200, { ...MERGE, format: 'PROFILE_FORMAT_TREE' }],
      ['format FUNCTIONS, which is not out', 200, { ...MERGE, format: 'PROFILE_FORMAT_FUNCTIONS' }],
      ['format 7', 501, { ...MERGE, format: 7 }],
      ['a bad span id', 400, { ...MERGE, spanSelector: ['xyz'] }],
      ['a bad trace id', 400, { ...MERGE, traceIdSelector: ['00000000000000aa'] }],
      ['spans and traces', 400, { ...SPAN, traceIdSelector: ['0123456789abcdef0123456789abcdef'] }],
    ],
  ],
  [
    'SelectMergeProfile',
    [
      ...MERGES(MERGE),
      ...NODES(MERGE),
      ['a call site', 200, { ...MERGE, stackTraceSelector: { callSite: [{ name: 'main' }] } }],
    ],
  ],
  [
    'SelectMergeSpanProfile',
    [...MERGES(SPAN), ...NODES(SPAN), ['no span', 200, without(SPAN, 'spanSelector')]],
  ],
  [
    'SelectSeries',
    [
      ...MERGES({ ...MERGE, step: 15 }),
      ['groups and a limit', 200, { ...MERGE, step: 15, groupBy: ['pod'], limit: '1' }],
      ['no step', 400, MERGE],
      ['a step below a millisecond', 400, { ...MERGE, step: 0.0001 }],
      ['a step of text', 400, { ...MERGE, step: 'x' }],
    ],
  ],
  ['SelectHeatmap', [...MERGES({ ...MERGE, step: 15 }), ['no step', 400, MERGE]]],
  [
    'Diff',
    [
      ['valid', 200, SIDES],
      ['no left', 400, { right: MERGE }],
      ['no right', 400, { left: MERGE }],
      ['two types', 400, { left: MERGE, right: { ...MERGE, profileTypeID: HEAP } }],
      ...MERGES(MERGE)
        .filter(([, , request]) => typeof request === 'object')
        .flatMap(([name, status, request]): Row[] => [
          [`left: ${name}`, status, { left: request, right: MERGE }],
          [`right: ${name}`, status, { left: MERGE, right: request }],
        ]),
      ...BODIES,
    ],
  ],
  ['GetProfileStats', [['valid', 200, {}], ...BODIES]],
  [
    'AnalyzeQuery',
    [
      ['valid', 200, { ...RANGE, query: `${CPU}${SELECTOR}` }],
      ['no query', 400, RANGE],
      ['no type', 400, { ...RANGE, query: SELECTOR }],
    ],
  ],
];

async function statusOf(
  method: string,
  body: string,
  options: { readonly method?: string; readonly type?: string } = {},
): Promise<number> {
  const { method: verb = 'POST', type = 'application/json' } = options;
  const answer = await http(`${store.url}/querier.v1.QuerierService/${method}`, {
    method: verb,
    headers: { 'content-type': type },
    ...(verb === 'GET' || verb === 'DELETE' ? {} : { body }),
  });
  return answer.status;
}

describe.each(METHODS)('%s', (method, rows) => {
  it.each(rows)('%s: %i', async (_name, status, request) => {
    const body = typeof request === 'string' ? request : JSON.stringify(request);
    expect(await statusOf(method, body)).toBe(status);
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH'])('%s: 405', async (verb) => {
    expect(await statusOf(method, '{}', { method: verb })).toBe(405);
  });

  it.each(['text/plain', 'application/xml'])('%s: 415', async (type) => {
    expect(await statusOf(method, '{}', { type })).toBe(415);
  });

  it('errors are Connect errors', async () => {
    const answer = await http(`${store.url}/querier.v1.QuerierService/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{',
    });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 'invalid_argument' });
  });
});

const query = encodeURIComponent(`${CPU}${SELECTOR}`);
const heap = encodeURIComponent(`${HEAP}{}`);
const times = `from=${RANGE.start}&until=${RANGE.end}`;
const good = `query=${query}&${times}`;
const left = `leftQuery=${query}&leftFrom=${RANGE.start}&leftUntil=${RANGE.end}`;
const right = `rightQuery=${query}&rightFrom=${RANGE.start}&rightUntil=${RANGE.end}`;

const GETS: readonly (readonly [string, number, string])[] = [
  ['/pyroscope/render', 200, good],
  ['/pyroscope/render', 200, `${good}&format=dot`],
  ['/pyroscope/render', 200, `${good}&format=json`],
  ['/pyroscope/render', 200, `${good}&maxNodes=10`],
  ['/pyroscope/render', 200, `${good}&max-nodes=10`],
  ['/pyroscope/render', 200, `${good}&maxNodes=0`],
  ['/pyroscope/render', 200, `${good}&maxNodes=many`],
  ['/pyroscope/render', 200, `${good}&groupBy=pod`],
  ['/pyroscope/render', 200, `${good}&groupBy=pod&groupBy=service_name`],
  ['/pyroscope/render', 200, `${good}&aggregation=sum`],
  ['/pyroscope/render', 200, `${good}&aggregation=avg`],
  ['/pyroscope/render', 200, `${good}&aggregation=median`],
  ['/pyroscope/render', 200, `${good}&refresh-token=1`],
  ['/pyroscope/render', 200, `query=${query}`],
  ['/pyroscope/render', 200, `query=${query}&from=now-1h&until=now`],
  ['/pyroscope/render', 400, `query=${query}&from=0&until=${RANGE.end}`],
  ['/pyroscope/render', 400, `query=${query}&from=${RANGE.start}&until=0`],
  ['/pyroscope/render', 400, `query=${query}&from=${RANGE.end}&until=${RANGE.start}`],
  ['/pyroscope/render', 400, `query=${query}&from=then&until=now`],
  ['/pyroscope/render', 400, times],
  ['/pyroscope/render', 400, `query=&${times}`],
  ['/pyroscope/render', 400, `query=${encodeURIComponent(`${CPU}{a=`)}&${times}`],
  ['/pyroscope/render', 400, `query=${encodeURIComponent(SELECTOR)}&${times}`],
  ['/pyroscope/render', 400, `query=${encodeURIComponent(`cpu${SELECTOR}`)}&${times}`],
  ['/pyroscope/render-diff', 200, `${left}&${right}`],
  ['/pyroscope/render-diff', 400, left],
  ['/pyroscope/render-diff', 400, right],
  ['/pyroscope/render-diff', 400, `${left}&${right.replace(/rightFrom=\d+/, 'rightFrom=0')}`],
  ['/pyroscope/render-diff', 400, `${left.replace(/leftUntil=\d+/, 'leftUntil=0')}&${right}`],
  ['/pyroscope/render-diff', 400, `${left.replace(query, 'x')}&${right}`],
  ['/pyroscope/render-diff', 400, `${left}&${right.replace(query, heap)}`],
  ['/pyroscope/label-values', 200, 'label=pod'],
  ['/pyroscope/label-values', 200, `label=__name__&${times}`],
  ['/pyroscope/label-values', 400, ''],
  ['/pyroscope/label-values', 400, 'label=pod&query={a='],
];

describe('the older GETs', () => {
  it.each(GETS)('%s: %i for %s', async (path, status, search) => {
    expect((await http(`${store.url}${path}?${search}`)).status).toBe(status);
  });

  it.each([...new Set(GETS.map(([path]) => path))])('%s takes GET alone', async (path) => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      expect((await http(`${store.url}${path}?${good}`, { method })).status).toBe(405);
    }
  });
});

describe('tenants', () => {
  it.each([
    ['a|b', 200],
    ['a||b', 400],
    ['../x', 400],
  ])('%s: %i', async (tenant, status) => {
    const headers = { 'content-type': 'application/json', 'x-scope-orgid': tenant };
    const url = `${store.url}/querier.v1.QuerierService/ProfileTypes`;
    expect((await http(url, { method: 'POST', headers, body: '{}' })).status).toBe(status);
    const render = `${store.url}/pyroscope/render?${good}`;
    expect((await http(render, { headers: { 'x-scope-orgid': tenant } })).status).toBe(status);
  });
});
