import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type FileDescriptorProto,
} from '@bufbuild/protobuf/wkt';
import { create } from '@bufbuild/protobuf';
import type { Client } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Aggregation } from '../../../src/gen/basalt/v1/common_pb.js';
import { MergeFormat, QueryService } from '../../../src/gen/basalt/v1/query_pb.js';
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../../src/gen/grpc/health/v1/health_pb.js';
import type { HealthCheckResponse } from '../../../src/gen/grpc/health/v1/health_pb.js';
import { ServerReflection } from '../../../src/gen/grpc/reflection/v1/reflection_pb.js';
import type { ServerReflectionResponse } from '../../../src/gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ServerReflectionAlpha } from '../../../src/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { BIG, PARTIAL, startTestServer, TREE, TYPE, type TestServer } from './fakes.js';
import { duplex, grpcClient, serverStream, unary } from './grpc-client.js';

const { profileTypes, labelNames, labelValues, series, merge, timeSeries } = QueryService.method;
const RANGE = { selector: '{service_name="api"}', startMs: 1_000n, endMs: 2_000n };
const MERGE = { ...RANGE, profileType: TYPE.id };

let test: TestServer;
let client: Client;

beforeEach(async () => {
  test = await startTestServer();
  client = grpcClient(test.grpcAddress);
});

afterEach(async () => {
  client.close();
  await test.server.close();
});

describe('QueryService', () => {
  it('lists', async () => {
    const types = await unary(client, profileTypes, RANGE);
    expect(types.profileTypes).toMatchObject([{ ...TYPE, temporality: 1 }]);
    expect(test.query.last().query).toMatchObject({
      tenantId: 'anonymous',
      selector: '{service_name="api"}',
      startMs: 1_000,
      endMs: 2_000,
    });
    expect((await unary(client, labelNames, RANGE)).names).toEqual(['pod', 'service_name']);
    const values = await unary(client, labelValues, { ...RANGE, name: 'pod' });
    expect(values.values).toEqual(['pod-1']);
    const listed = await unary(client, series, RANGE);
    expect(listed.series[0]?.labels).toMatchObject([
      { name: '__name__', value: 'process_cpu' },
      { name: 'service_name', value: 'api' },
    ]);
  });

  it('merges into a tree, exact past 2^53, with its stats', async () => {
    test.query.stats = PARTIAL;
    const answer = await unary(client, merge, {
      ...MERGE,
      maxNodes: 99,
      aggregation: Aggregation.MAX,
    });
    expect(test.query.last()).toMatchObject({
      method: 'mergeTree',
      query: { profileType: TYPE.id, aggregation: 'max', maxNodes: 99 },
    });
    expect(answer.result.case).toBe('tree');
    expect(answer.result.value).toMatchObject({
      total: BIG + 7n,
      names: TREE.names,
      parent: [-1, 0, 1],
      name: [0, 1, 2],
      self: [0n, -5n, BIG],
      value: [BIG + 7n, BIG + 7n, BIG],
      hiddenNodes: 4n,
      hiddenValue: 12n,
    });
    expect(answer.stats).toMatchObject({
      profiles: 3n,
      rows: 70n,
      partial: true,
      missing: PARTIAL.missing,
    });
  });

  it('leaves defaults to the engine', async () => {
    await unary(client, merge, MERGE);
    expect(test.query.last().query).not.toHaveProperty('maxNodes');
    expect(test.query.last().query).not.toHaveProperty('aggregation');
  });

  it('renders top, pprof and folded', async () => {
    const top = await unary(client, merge, { ...MERGE, format: MergeFormat.TOP });
    expect(top.result.value).toMatchObject({
      functions: [{ function: 'f', file: 'f.go', self: BIG }],
    });
    const filter = { focus: 'a', pruneFrom: '', stack: ['leaf:function=x'] };
    const sandwich = await unary(client, merge, {
      ...MERGE,
      format: MergeFormat.SANDWICH,
      function: 'f',
      filter,
      samples: { profileIds: ['p'] },
      view: { rootLabel: ['pod'], inverted: true },
    });
    expect(sandwich.result).toMatchObject({ case: 'sandwich', value: { total: BIG + 7n } });
    expect(test.query.last().query).toMatchObject({
      focus: 'a',
      stack: ['leaf:function=x'],
      profileIds: ['p'],
      rootLabel: ['pod'],
      inverted: true,
      function: 'f',
    });
    expect(test.query.last().query).not.toHaveProperty('pruneFrom');
    const arrow = await unary(client, merge, { ...MERGE, format: MergeFormat.ARROW, maxNodes: 9 });
    expect(arrow.contentType).toBe('application/vnd.apache.arrow.stream');
    expect(arrow.result.case).toBe('body');
    expect(test.query.last().query).toMatchObject({ format: 'arrow', maxNodes: 9 });
    const pprof = await unary(client, merge, { ...MERGE, format: MergeFormat.PPROF });
    expect(pprof.result).toEqual({ case: 'pprof', value: Buffer.from([0x1f, 0x8b, 1, 2]) });
    const folded = await unary(client, merge, { ...MERGE, format: MergeFormat.FOLDED });
    expect(folded).toMatchObject({
      result: { case: 'folded', value: 'main;läuft 7\n' },
      hiddenCount: 3n,
      hiddenValue: 12n,
    });
  });

  it('answers time series', async () => {
    const request = { ...MERGE, stepMs: 15_000n, groupBy: ['pod'] };
    const answer = await unary(client, timeSeries, request);
    expect(test.query.last().query).toMatchObject({ stepMs: 15_000, groupBy: ['pod'] });
    expect(answer.series[0]).toMatchObject({
      timestampMs: [1_700_000_000_000n, 1_700_000_015_000n],
      value: [5n, BIG],
    });
  });

  it.each([
    ['an empty range', { ...MERGE, endMs: 1_000n }, 'PS_RANGE'],
    ['a time past 2^53', { ...MERGE, endMs: 2n ** 60n }, 'PS_NUMBER'],
    ['an unknown format', { ...MERGE, format: 77 as MergeFormat }, 'PS_FORMAT'],
    ['an unknown aggregation', { ...MERGE, aggregation: 9 as Aggregation }, 'PS_AGGREGATION'],
    ['bytes that are no message', Uint8Array.from([0x0a, 0xff]), 'PS_PROTOBUF'],
  ])('refuses %s', async (_what, request, reason) => {
    const error = await unary(client, merge, request).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 3 });
    expect(
      (error as { metadata: { get(name: string): unknown } }).metadata.get('basalt-reason'),
    ).toEqual([reason]);
    expect(test.query.calls).toHaveLength(0);
  });

  it('aborts the query when the client cancels or its deadline passes', async () => {
    const aborted: string[] = [];
    test.query.before = (query) =>
      new Promise((_resolve, reject) => {
        query.signal?.addEventListener('abort', () => {
          aborted.push(query.selector);
          reject(new DOMException('aborted', 'AbortError'));
        });
      });
    const cancelled = unary(
      client,
      merge,
      { ...MERGE, selector: '{a="cancel"}' },
      { started: (call) => setTimeout(() => call.cancel(), 50) },
    );
    await expect(cancelled).rejects.toMatchObject({ code: 1 });
    const late = unary(
      client,
      merge,
      { ...MERGE, selector: '{a="deadline"}' },
      { call: { deadline: Date.now() + 50 } },
    );
    await expect(late).rejects.toMatchObject({ code: 4 });
    await expect.poll(() => aborted).toEqual(['{a="cancel"}', '{a="deadline"}']);
  });
});

describe('health', () => {
  it('checks and lists', async () => {
    const { check, list } = Health.method;
    expect((await unary(client, check, {})).status).toBe(ServingStatus.SERVING);
    const one = await unary(client, check, { service: 'basalt.v1.QueryService' });
    expect(one.status).toBe(ServingStatus.SERVING);
    await expect(unary(client, check, { service: 'no.Such' })).rejects.toMatchObject({ code: 5 });
    const { statuses } = await unary(client, list, {});
    expect(Object.keys(statuses).sort()).toEqual([
      '',
      'basalt.v1.IngestService',
      'basalt.v1.QueryService',
    ]);
    test.ready = false;
    expect((await unary(client, check, {})).status).toBe(ServingStatus.NOT_SERVING);
  });

  it('watches until the server closes', async () => {
    const seen: ServingStatus[] = [];
    const call = serverStream(client, Health.method.watch, {});
    const ended = new Promise<void>((resolve, reject) => {
      call.on('data', (answer: HealthCheckResponse) => seen.push(answer.status));
      call.on('end', () => resolve());
      call.on('error', reject);
    });
    await expect.poll(() => seen).toEqual([ServingStatus.SERVING]);
    test.ready = false;
    await expect
      .poll(() => seen, { timeout: 3_000 })
      .toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
    test.ready = true;
    await expect.poll(() => seen.length, { timeout: 3_000 }).toBe(3);
    await test.server.close();
    await ended;
    expect(seen.at(-1)).toBe(ServingStatus.NOT_SERVING);
  });
});

describe.each([
  ['v1', ServerReflection.method.serverReflectionInfo],
  ['v1alpha', ServerReflectionAlpha.method.serverReflectionInfo],
] as const)('reflection %s', (_version, method) => {
  type Asked = NonNullable<Parameters<ReturnType<typeof open>['write']>[0]>['messageRequest'];

  function open() {
    return duplex(client, method as typeof ServerReflection.method.serverReflectionInfo);
  }

  async function ask(...questions: NonNullable<Asked>[]): Promise<ServerReflectionResponse[]> {
    const call = open();
    const answers: ServerReflectionResponse[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      call.on('data', (answer: ServerReflectionResponse) => answers.push(answer));
      call.on('end', () => resolve());
      call.on('error', reject);
    });
    for (const messageRequest of questions) call.write({ host: 'h', messageRequest });
    call.end();
    await ended;
    return answers;
  }

  function filesOf(answer: ServerReflectionResponse | undefined): FileDescriptorProto[] {
    const response = answer?.messageResponse;
    if (response?.case !== 'fileDescriptorResponse') throw new Error(`got ${response?.case}`);
    return response.value.fileDescriptorProto.map((b) => fromBinary(FileDescriptorProtoSchema, b));
  }

  it('lets a client that knows nothing find each method and its messages', async () => {
    const [listed] = await ask({ case: 'listServices', value: '' });
    expect(listed?.validHost).toBe('h');
    expect(listed?.originalRequest?.messageRequest.case).toBe('listServices');
    const response = listed?.messageResponse;
    if (response?.case !== 'listServicesResponse') throw new Error('no list');
    const services = response.value.service.map(({ name }) => name);
    expect(services).toEqual([
      'basalt.v1.IngestService',
      'basalt.v1.QueryService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
    const answers = await ask(
      ...services.map((value) => ({ case: 'fileContainingSymbol' as const, value })),
    );
    const byName = new Map(answers.flatMap(filesOf).map((file) => [file.name, file]));
    // Dependencies first, as a registry wants them.
    const ordered: FileDescriptorProto[] = [];
    const add = (name: string): void => {
      const file = byName.get(name);
      if (file === undefined) throw new Error(`the answer lacks ${name}`);
      if (ordered.includes(file)) return;
      for (const dependency of file.dependency) add(dependency);
      ordered.push(file);
    };
    for (const name of byName.keys()) add(name);
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: ordered }));
    const service = registry.getService('basalt.v1.QueryService');
    expect(service?.methods.map((m) => m.name)).toEqual(QueryService.methods.map((m) => m.name));
    expect(registry.getMessage('google.rpc.Status')?.fields.map((f) => f.name)).toContain(
      'details',
    );
  });

  it('finds files by name and symbols of each kind, and says what it has not', async () => {
    const symbols = [
      'basalt.v1.MergeRequest',
      'basalt.v1.MergeRequest.max_nodes',
      'basalt.v1.MergeResponse.result',
      'basalt.v1.MergeFormat',
      'basalt.v1.MERGE_FORMAT_TOP',
      'basalt.v1.QueryService.Merge',
    ];
    const found = await ask(
      { case: 'fileByFilename', value: 'basalt/v1/query.proto' },
      ...symbols.map((value) => ({ case: 'fileContainingSymbol' as const, value })),
    );
    for (const answer of found) {
      expect(filesOf(answer).map((f) => f.name)).toEqual([
        'basalt/v1/query.proto',
        'basalt/v1/common.proto',
      ]);
    }
    const missing = await ask(
      { case: 'fileByFilename', value: 'no.proto' },
      { case: 'fileContainingSymbol', value: 'no.Such' },
      { case: 'allExtensionNumbersOfType', value: 'no.Such' },
      { case: 'fileContainingExtension', value: { containingType: 'a.B', extensionNumber: 1 } },
    );
    for (const answer of missing) {
      expect(answer.messageResponse).toMatchObject({
        case: 'errorResponse',
        value: { errorCode: 5 },
      });
    }
    const [none] = await ask({
      case: 'allExtensionNumbersOfType',
      value: 'basalt.v1.MergeRequest',
    });
    expect(none?.messageResponse).toMatchObject({
      case: 'allExtensionNumbersResponse',
      value: { baseTypeName: 'basalt.v1.MergeRequest', extensionNumber: [] },
    });
  });
});
