import type { MetricsRegistry } from '../base/metrics.js';
import type { Clock } from '../env/clock.js';
import type { CompactionTotals } from './background-compaction.js';
import type { IngestReport } from './ingest-part.js';

export interface MetricSources {
  report(): Promise<IngestReport>;
  compaction(): CompactionTotals | undefined;
}

const COUNTERS = {
  requests: ['basalt_ingest_requests_total', 'Profiles that were sent.'],
  profiles: ['basalt_ingest_profiles_total', 'Profiles stored, one for each sample type.'],
  samples: ['basalt_ingest_samples_total', 'Values stored that are not 0.'],
  receivedBytes: ['basalt_ingest_received_bytes_total', 'Bytes of profiles as they came.'],
  duplicates: ['basalt_ingest_duplicates_total', 'Profiles that were there already.'],
  refused: ['basalt_ingest_refused_total', 'Profiles that were refused.'],
} as const;

const GAUGES = {
  queuedRequests: ['basalt_ingest_queue_requests', 'Profiles that wait for their ack.'],
  queuedBytes: ['basalt_ingest_queue_bytes', 'Bytes of profiles that wait for their ack.'],
  segments: ['basalt_log_segments', 'Segments of level 0.'],
  logBytes: ['basalt_log_bytes', 'Bytes of level 0.'],
  series: ['basalt_ingest_series', 'Series that the write side knows.'],
  internBytes: ['basalt_ingest_symbols_bytes', 'Memory of the symbol tables.'],
  failedCommits: ['basalt_log_failed_commits', 'Commits that failed since the start.'],
} as const;

/** What the last start found in the log. */
const RECOVERY: readonly {
  readonly name: string;
  readonly help: string;
  readonly value: (report: IngestReport) => number;
}[] = [
  {
    name: 'basalt_log_torn_bytes',
    help: 'Bytes of torn commits that the last start cut.',
    value: ({ recovery }) => recovery.tornBytes,
  },
  {
    name: 'basalt_log_damaged_segments',
    help: 'Damaged segments that the last start set aside.',
    value: ({ recovery }) => recovery.damaged.length,
  },
  {
    name: 'basalt_log_missing_segments',
    help: 'Segments that the last start missed between others: someone else removed them.',
    value: ({ recovery }) => recovery.missingSegments,
  },
];

/** How old a figure may be: the write side is another thread, so scrapes read its last report. */
const REPORT_EVERY_MS = 2_000;

/** Registers the figures of a store and keeps them fresh until `signal` aborts. */
export function registerStoreMetrics(
  metrics: MetricsRegistry,
  sources: MetricSources,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  let latest: IngestReport | undefined;
  const read = (value: (report: IngestReport) => number): (() => number) => {
    return () => (latest === undefined ? 0 : value(latest));
  };
  for (const [key, [name, help]] of Object.entries(COUNTERS)) {
    metrics.gaugeOf(
      { name, help },
      read((r) => r.counters[key as keyof typeof COUNTERS]),
    );
  }
  for (const [key, [name, help]] of Object.entries(GAUGES)) {
    metrics.gaugeOf(
      { name, help },
      read((r) => r.gauges[key as keyof typeof GAUGES]),
    );
  }
  for (const { name, help, value } of RECOVERY) metrics.gaugeOf({ name, help }, read(value));
  const runs = { name: 'basalt_compaction_runs_total', help: 'Runs of the background compaction.' };
  metrics.gaugeOf(runs, () => sources.compaction()?.runs ?? 0);
  const failures = {
    name: 'basalt_compaction_failures_total',
    help: 'Runs of the background compaction that failed.',
  };
  metrics.gaugeOf(failures, () => sources.compaction()?.failures ?? 0);
  const orphans = {
    name: 'basalt_compaction_orphans_deleted_total',
    help: 'Blocks and carries left by crashes and lost races that were deleted.',
  };
  metrics.gaugeOf(orphans, () => sources.compaction()?.counts.orphansDeleted ?? 0);
  const kept = {
    name: 'basalt_compaction_orphans_kept',
    help: 'Orphans that may be the only copy of something: basalt gc --dry-run says which.',
  };
  metrics.gaugeOf(kept, () => sources.compaction()?.orphansKept ?? 0);
  const rejections = metrics.counter({
    name: 'basalt_ingest_rejections_total',
    help: 'Elements cut or dropped from profiles that were stored.',
    labels: ['reason'],
  });
  const refresh = async (): Promise<void> => {
    while (!signal.aborted) {
      latest = await sources.report().catch(() => latest);
      for (const [reason, count] of latest?.counters.rejections ?? []) {
        rejections.cell(reason).value = count;
      }
      await clock.sleep(REPORT_EVERY_MS, signal).catch(() => undefined);
    }
  };
  return refresh();
}
