/** The thread that answers queries, so that neither writes nor other calls wait for a scan. */
import {
  type CallContext,
  serveThread,
  type Transferred,
  withTransfer,
} from '../../env/thread-handler.js';
import { ownThread } from '../../env/threads.js';
import type { LogPosition } from '../../log/segment-view.js';
import type {
  BeforeOomQuery,
  DiffQuery,
  ExplainQuery,
  HeatmapQuery,
  ItemsQuery,
  GraphQuery,
  LabelValuesQuery,
  PprofQuery,
  RangeQuery,
  RenderedMerge,
  RegressionsQuery,
  RenderQuery,
  SandwichQuery,
  TimeSeriesQuery,
  TreeQuery,
} from '../../query/api.js';
import type { PartSettings } from '../options.js';
import { openQueryPart } from '../query-part.js';
import { ScanThreads } from '../scan-threads.js';
import { openPlace } from './settings.js';

const { port, data } = ownThread();
const helpers = new ScanThreads(data as PartSettings);
let position: LogPosition = { segments: [] };

/** A query with the newest position that its caller knew. */
export interface QueryCall<Q> {
  readonly query: Omit<Q, 'signal'>;
  readonly position: LogPosition;
}

async function handlers() {
  const settings = data as PartSettings;
  const place = await openPlace(settings);
  const { retention = [], queryBudgets = [], resultCacheBytes } = settings;
  const engine = openQueryPart({
    ...place,
    position: async () => position,
    retention,
    queryBudgets,
    helpers,
    ...(resultCacheBytes === undefined ? {} : { resultCacheBytes }),
  });
  const ready = <Q>(
    call: QueryCall<Q>,
    { signal }: CallContext,
  ): Omit<Q, 'signal'> & { signal: AbortSignal } => {
    position = call.position;
    return { ...call.query, signal };
  };
  return {
    /** For queries that plan again: segments were sealed or removed. */
    position: (newest: LogPosition): void => {
      position = newest;
    },
    profileTypes: (call: QueryCall<RangeQuery>, c: CallContext) =>
      engine.profileTypes(ready(call, c)),
    labelNames: (call: QueryCall<RangeQuery>, c: CallContext) => engine.labelNames(ready(call, c)),
    labelValues: (call: QueryCall<LabelValuesQuery>, c: CallContext) =>
      engine.labelValues(ready(call, c)),
    series: (call: QueryCall<RangeQuery>, c: CallContext) => engine.series(ready(call, c)),
    profileBounds: (call: QueryCall<RangeQuery>, c: CallContext) =>
      engine.profileBounds(ready(call, c)),
    mergeTree: async (call: QueryCall<TreeQuery>, c: CallContext) => {
      const tree = await engine.mergeTree(ready(call, c));
      return withTransfer(tree, [tree.parent, tree.name, tree.self, tree.value]);
    },
    mergeTop: (call: QueryCall<GraphQuery>, c: CallContext) => engine.mergeTop(ready(call, c)),
    mergeSandwich: (call: QueryCall<SandwichQuery>, c: CallContext) =>
      engine.mergeSandwich(ready(call, c)),
    mergeRendered: async (call: QueryCall<RenderQuery>, c: CallContext) =>
      moved(await engine.mergeRendered(ready(call, c))),
    mergePprof: async (call: QueryCall<PprofQuery>, c: CallContext) =>
      moved(await engine.mergePprof(ready(call, c))),
    mergeFolded: async (call: QueryCall<GraphQuery>, c: CallContext) =>
      moved(await engine.mergeFolded(ready(call, c))),
    items: (call: QueryCall<ItemsQuery>, c: CallContext) => engine.items(ready(call, c)),
    heatmap: (call: QueryCall<HeatmapQuery>, c: CallContext) => engine.heatmap(ready(call, c)),
    timeSeries: (call: QueryCall<TimeSeriesQuery>, c: CallContext) =>
      engine.timeSeries(ready(call, c)),
    regressions: (call: QueryCall<RegressionsQuery>, c: CallContext) =>
      engine.regressions(ready(call, c)),
    beforeOom: (call: QueryCall<BeforeOomQuery>, c: CallContext) =>
      engine.beforeOom(ready(call, c)),
    diff: (call: QueryCall<DiffQuery>, c: CallContext) => engine.diff(ready(call, c)),
    explain: (call: QueryCall<ExplainQuery>, c: CallContext) =>
      engine.explain(ready(call, c) as ExplainQuery),
  };
}

/** A body that shares its buffer, as small ones do, is copied. */
function moved(merge: RenderedMerge): Transferred<RenderedMerge> {
  const { body } = merge;
  return withTransfer(merge, body.length === body.buffer.byteLength ? [body] : []);
}

export type QueryHandlers = Awaited<ReturnType<typeof handlers>>;

await serveThread(port, handlers(), { onClose: () => helpers.close() });
