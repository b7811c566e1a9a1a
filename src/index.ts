/** basalt as a library: `openStore`, and the types of what it takes and gives. */
export { StoreError } from './base/errors.js';
export type { ErrorKind } from './base/errors.js';
export { arrowTable } from './columnar/arrow-table.js';
export type { IngestApi, Rejection, WriteRequest, WriteResult } from './ingest/api.js';
export type { Label } from './model/labels.js';
export type { Temporality } from './model/series.js';
export type {
  Aggregation,
  BeforeOom,
  BeforeOomQuery,
  Comparison,
  DiffAnswer,
  DiffFunction,
  DiffQuery,
  DiffSelection,
  DiffSide,
  ExplainQuery,
  FlameTree,
  GraphQuery,
  GrowingPath,
  Heatmap,
  HeatmapQuery,
  HeatmapSeries,
  ItemList,
  ItemsQuery,
  LabelValuesQuery,
  ListOf,
  MergeQuery,
  MissingPart,
  ProfileTypeInfo,
  PprofQuery,
  ProfileBounds,
  ProfileItem,
  QueryApi,
  QueryPlan,
  QueryStats,
  RangeQuery,
  Regression,
  Regressions,
  RegressionsQuery,
  RenderedMerge,
  RenderQuery,
  Sandwich,
  SandwichQuery,
  SeriesLabels,
  TimeSeries,
  TimeSeriesAnswer,
  TimeSeriesQuery,
  TopFunction,
  TopTable,
  TreeQuery,
} from './query/api.js';
export type { DeleteRequest, Deletion, DeletionResult } from './store/deletion.js';
export { parseRetentionRule, type RetentionRule } from './manifest/retention.js';
export { parseBudgetRule, type QueryBudgetRule } from './query/budgets.js';
export type { IngestReport } from './store/ingest-part.js';
export type { InspectedBlock, Inspection } from './store/inspect.js';
export type { Environment, StoreLocation, StoreOptions } from './store/options.js';
export type { CollectStoreOptions, GarbageReport } from './store/collect-store.js';
export { type Maintenance, type MaintenanceOptions, openMaintenance } from './store/maintenance.js';
export type { RebuiltManifest } from './store/rebuild-manifest.js';
export type { LostPart, RepairReport } from './store/repair.js';
export { openSnapshot, type Snapshot } from './store/snapshot.js';
export { type CompactOptions, openStore, type Store, type StoreStatus } from './store/store.js';
export type { Finding } from './store/verify.js';
