/** `querier.v1.QuerierService`: Pyroscope's read side over the query engine, one function a method. */
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { invalid } from '../../base/errors.js';
import {
  AnalyzeQueryResponseSchema,
  AsyncQueryResponseSchema,
  AsyncQueryStatus,
  AsyncQueryType,
  type AnalyzeQueryRequest,
  type DiffRequest,
  type DiffResponseSchema,
  ProfileFormat,
  type ProfileTypesRequest,
  type ProfileTypesResponseSchema,
  QuerierService,
  type SelectMergeProfileRequest,
  type SelectMergeSpanProfileRequest,
  type SelectMergeSpanProfileResponseSchema,
  type SelectMergeStacktracesRequest,
  type SelectMergeStacktracesResponseSchema,
  type SeriesRequest,
  type SeriesResponseSchema,
} from '../../gen/querier/v1/querier_pb.js';
import type {
  LabelNamesRequest,
  LabelValuesRequest,
  StackTraceSelector,
} from '../../gen/types/v1/types_pb.js';
import type { Profile } from '../../gen/google/v1/profile_pb.js';
import { LIMITS } from '../../base/limits.js';
import type { FlameTree, MergeQuery, QueryApi } from '../../query/api.js';
import { dotOf } from '../../query/render/dot.js';
import { type ConnectOptions, Guard } from '../connect-guard.js';
import type { CallContext } from '../query-messages.js';
import { queriedTenantsOf, TENANT_HEADER } from '../tenant.js';
import { diffOf, flameGraphDiffMessage, flameGraphMessage } from './flame-graph.js';
import { listedLabels, listedNames, readsAnyName } from './labels.js';
import { NotedApi } from './noted-api.js';
import { decodedProfile, opaqueProfile } from './profile-message.js';
import {
  ALL_TIME,
  forEachSelector,
  maxNodesOf,
  mergeOf,
  rangeOf,
  rangeOrAll,
  sampleFilterOf,
} from './requests.js';
import { parseQuery } from './query-text.js';
import { listedSeries } from './listed-series.js';
import { selectHeatmap, selectSeries } from './series.js';
import { treeBytes } from './tree-bytes.js';

/** What a method needs to know of its caller. */
export interface QuerierCall extends CallContext {
  /** Names of labels past `[A-Za-z_][A-Za-z0-9_]*` may be shown. */
  readonly readsAnyName: boolean;
  readonly wantsJson: boolean;
}

/** Functions of a graph where the caller does not say. */
const DOT_NODES_DEFAULT = 100;

type Stacktraces = Omit<SelectMergeStacktracesInit, '$typeName' | '$unknown'>;
type SelectMergeStacktracesInit = MessageInitShape<typeof SelectMergeStacktracesResponseSchema>;

export class Querier {
  readonly #api: QueryApi;

  constructor(api: QueryApi) {
    this.#api = api;
  }

  async profileTypes(
    call: QuerierCall,
    { start, end }: ProfileTypesRequest,
  ): Promise<MessageInitShape<typeof ProfileTypesResponseSchema>> {
    const range = rangeOrAll(start, end);
    const query = { ...contextOf(call), ...range, selector: '' };
    const { items } = await this.#api.profileTypes(query);
    return {
      profileTypes: items.map(({ id, temporality: _, ...parts }) => ({ ID: id, ...parts })),
    };
  }

  async labelNames(call: QuerierCall, request: LabelNamesRequest) {
    const base = { ...contextOf(call), ...rangeOf(request.start, request.end) };
    const lists = await forEachSelector(
      base,
      request.matchers,
      async (q) => (await this.#api.labelNames(q)).items,
    );
    return { names: listedNames(lists.flat(), call.readsAnyName) };
  }

  async labelValues(call: QuerierCall, request: LabelValuesRequest) {
    const { name } = request;
    if (name === '') throw invalid('PS_LABELS_NAME', 'cannot list values: got no name; want one');
    const base = { ...contextOf(call), ...rangeOf(request.start, request.end) };
    const lists = await forEachSelector(
      base,
      request.matchers,
      async (query) => (await this.#api.labelValues({ ...query, name })).items,
    );
    return { names: [...new Set(lists.flat())].sort() };
  }

  async series(
    call: QuerierCall,
    request: SeriesRequest,
  ): Promise<MessageInitShape<typeof SeriesResponseSchema>> {
    const base = { ...contextOf(call), ...rangeOf(request.start, request.end) };
    const lists = await forEachSelector(base, request.matchers, (query) =>
      listedSeries(this.#api, query, request.labelNames),
    );
    const sets = new Map(
      lists.flat().map((series) => {
        const labels = listedLabels(series, request.labelNames, call.readsAnyName);
        return [JSON.stringify(labels), { labels }];
      }),
    );
    const keys = [...sets.keys()].sort();
    return { labelsSet: keys.map((key) => sets.get(key) ?? { labels: [] }) };
  }

  async selectMergeStacktraces(
    call: QuerierCall,
    request: SelectMergeStacktracesRequest,
  ): Promise<Stacktraces> {
    const query = { ...mergeOf(contextOf(call), request), ...sampleFilterOf(request) };
    const { async: asked } = request;
    const answer = await this.#stacktraces(call, query, request);
    // The answer is there already: a caller who was ready to come back for it need not.
    if (asked === undefined || asked.type === AsyncQueryType.DISABLED) return answer;
    const { requestId } = asked;
    const status = AsyncQueryStatus.SUCCESS;
    return { ...answer, async: create(AsyncQueryResponseSchema, { requestId, status }) };
  }

  async #stacktraces(
    call: QuerierCall,
    query: MergeQuery,
    request: SelectMergeStacktracesRequest,
  ): Promise<Stacktraces> {
    const { maxNodes, format } = request;
    switch (format) {
      case ProfileFormat.UNSPECIFIED:
      case ProfileFormat.FLAMEGRAPH:
        return { flamegraph: flameGraphMessage(await this.#tree(query, maxNodes)) };
      case ProfileFormat.TREE:
        return { tree: treeBytes(await this.#tree(query, maxNodes)) };
      case ProfileFormat.DOT: {
        maxNodesOf(maxNodes);
        const tree = await this.#api.mergeTree({ ...query, maxNodes: LIMITS.treeNodesMax });
        const isAsked = maxNodes !== undefined && maxNodes > 0n;
        return { dot: dotOf(tree, isAsked ? Number(maxNodes) : DOT_NODES_DEFAULT).text };
      }
      case ProfileFormat.PPROF:
        return { pprof: { profile: await this.#pprof(call, query, request.stackTraceSelector) } };
      default:
        throw new ConnectError(
          `cannot merge: got format ${format as number}; want 0 to ${ProfileFormat.PPROF}`,
          Code.Unimplemented,
        );
    }
  }

  async selectMergeSpanProfile(
    call: QuerierCall,
    request: SelectMergeSpanProfileRequest,
  ): Promise<MessageInitShape<typeof SelectMergeSpanProfileResponseSchema>> {
    const query = { ...mergeOf(contextOf(call), request), ...sampleFilterOf(request) };
    const tree = await this.#tree(query, request.maxNodes);
    return request.format === ProfileFormat.TREE
      ? { tree: treeBytes(tree) }
      : { flamegraph: flameGraphMessage(tree) };
  }

  async selectMergeProfile(
    call: QuerierCall,
    request: SelectMergeProfileRequest,
  ): Promise<Profile> {
    const query = { ...mergeOf(contextOf(call), request), ...sampleFilterOf(request) };
    maxNodesOf(request.maxNodes);
    return this.#pprof(call, query, request.stackTraceSelector);
  }

  selectSeries(call: QuerierCall, request: Parameters<typeof selectSeries>[2]) {
    return selectSeries(this.#api, contextOf(call), request);
  }

  selectHeatmap(call: QuerierCall, request: Parameters<typeof selectHeatmap>[2]) {
    return selectHeatmap(this.#api, contextOf(call), request);
  }

  async diff(
    call: QuerierCall,
    { left, right }: DiffRequest,
  ): Promise<MessageInitShape<typeof DiffResponseSchema>> {
    if (left === undefined || right === undefined) {
      throw invalid('PS_DIFF_SIDE', 'cannot compare: got one side or none; want left and right');
    }
    const sideOf = (side: SelectMergeStacktracesRequest): MergeQuery => ({
      ...mergeOf(contextOf(call), side),
      ...sampleFilterOf(side),
    });
    const maxNodes = Math.max(maxNodesOf(left.maxNodes), maxNodesOf(right.maxNodes));
    const tree = await diffOf(this.#api, { left: sideOf(left), right: sideOf(right) }, maxNodes);
    return { flamegraph: flameGraphDiffMessage(tree) };
  }

  async getProfileStats(call: QuerierCall) {
    const bounds = await this.#api.profileBounds({
      ...contextOf(call),
      ...ALL_TIME,
      selector: '',
    });
    return {
      dataIngested: bounds !== undefined,
      oldestProfileTime: BigInt(bounds?.oldestMs ?? 0),
      newestProfileTime: BigInt(bounds?.newestMs ?? 0),
    };
  }

  /** What a query would read: all in one store, so there is one scope. Sizes in bytes are not known before reading. */
  async analyzeQuery(call: QuerierCall, request: AnalyzeQueryRequest) {
    const { profileType, selector } = parseQuery(request.query);
    const { start, end } = request;
    const query = mergeOf(contextOf(call), {
      profileTypeID: profileType,
      labelSelector: selector,
      start,
      end,
    });
    const { stats } = await this.#api.timeSeries({
      ...query,
      stepMs: query.endMs - query.startMs,
      groupBy: [],
    });
    return create(AnalyzeQueryResponseSchema, {
      queryScopes: [
        {
          componentType: 'store',
          componentCount: 1n,
          blockCount: BigInt(stats.blocks + stats.segments),
          seriesCount: BigInt(stats.series),
          profileCount: BigInt(stats.profiles),
        },
      ],
      queryImpact: { totalQueriedSeries: BigInt(stats.series) },
    });
  }

  #tree(query: MergeQuery, maxNodes: bigint | undefined): Promise<FlameTree> {
    return this.#api.mergeTree({ ...query, maxNodes: maxNodesOf(maxNodes) });
  }

  /** With `go_pgo` only what Go's compiler reads: the last locations of each stack. */
  async #pprof(
    call: QuerierCall,
    query: MergeQuery,
    selector: StackTraceSelector | undefined,
  ): Promise<Profile> {
    const plain = { ...query, compress: false };
    const { goPgo } = selector ?? {};
    const keepLocations = goPgo?.keepLocations || undefined;
    const { body } =
      goPgo === undefined
        ? await this.#api.mergePprof(plain)
        : await this.#api.mergeRendered({
            ...plain,
            format: 'pgo',
            ...(keepLocations === undefined ? {} : { keepLocations }),
          });
    return call.wantsJson ? decodedProfile(body) : opaqueProfile(body);
  }
}

function contextOf({ tenantId, signal }: QuerierCall): CallContext {
  return { tenantId, signal };
}

function querierCall({ requestHeader, signal }: HandlerContext): QuerierCall {
  return {
    tenantId: queriedTenantsOf(requestHeader.get(TENANT_HEADER) ?? undefined),
    signal,
    readsAnyName: readsAnyName(requestHeader.get('accept')),
    wantsJson: /json/i.test(requestHeader.get('content-type') ?? ''),
  };
}

export function querierService(options: ConnectOptions): ServiceImpl<typeof QuerierService> {
  const run = (method: string) => {
    const guard = new Guard(options, `${QuerierService.typeName}/${method}`);
    return <I, O>(work: (q: Querier, call: QuerierCall, request: I) => Promise<O>) =>
      (request: I, context: HandlerContext): Promise<O> =>
        guard.unary(context, async () => {
          const noted = new NotedApi(options.query);
          const answer = await work(new Querier(noted.api), querierCall(context), request);
          for (const [name, value] of Object.entries(noted.headers()))
            context.responseHeader.set(name, value);
          return answer;
        });
  };
  return {
    profileTypes: run('ProfileTypes')((q, call, request) => q.profileTypes(call, request)),
    labelNames: run('LabelNames')((q, call, request) => q.labelNames(call, request)),
    labelValues: run('LabelValues')((q, call, request) => q.labelValues(call, request)),
    series: run('Series')((q, call, request) => q.series(call, request)),
    selectMergeStacktraces: run('SelectMergeStacktraces')((q, call, request) =>
      q.selectMergeStacktraces(call, request),
    ),
    selectMergeSpanProfile: run('SelectMergeSpanProfile')((q, call, request) =>
      q.selectMergeSpanProfile(call, request),
    ),
    selectMergeProfile: run('SelectMergeProfile')((q, call, request) =>
      q.selectMergeProfile(call, request),
    ),
    selectSeries: run('SelectSeries')((q, call, request) => q.selectSeries(call, request)),
    selectHeatmap: run('SelectHeatmap')((q, call, request) => q.selectHeatmap(call, request)),
    diff: run('Diff')((q, call, request) => q.diff(call, request)),
    getProfileStats: run('GetProfileStats')((q, call) => q.getProfileStats(call)),
    analyzeQuery: run('AnalyzeQuery')((q, call, request) => q.analyzeQuery(call, request)),
  };
}
