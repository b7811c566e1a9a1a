import { LIMITS } from '../base/limits.js';
import { MetricsRegistry } from '../base/metrics.js';
import type { Store } from '../index.js';
import { parseRetentionRule } from '../manifest/retention.js';
import { parseBudgetRule } from '../query/budgets.js';
import type { SelfProfile } from '../server/self-profile.js';
import type { RunningServer } from '../server/server.js';
import { warmUpQueries } from '../server/warm-up.js';
import { uiAssets } from '../ui/assets.js';
import { command, EXIT_FAILED, EXIT_OK, type CommandIo } from './command.js';
import { queryBudgetOption, retentionOption } from './common-options.js';
import { BUCKET_OPTIONS, ROLLUP_OPTIONS, rollupLabels, storePlace } from './store-location.js';

const STATUS_INTERVAL_MS = 1_000;

export const serveCommand = command({
  name: 'serve',
  summary: 'run the server: gRPC, HTTP and the web page',
  options: {
    data: {
      type: 'string',
      default: 'data',
      placeholder: 'DIR',
      help: 'log and caches, and the blocks too without --bucket',
    },
    ...BUCKET_OPTIONS,
    http: {
      type: 'string',
      default: '127.0.0.1:4040',
      placeholder: 'HOST:PORT',
      help: 'page and HTTP API; port 0 takes any',
    },
    grpc: {
      type: 'string',
      default: '127.0.0.1:4041',
      placeholder: 'HOST:PORT',
      help: 'gRPC; port 0 takes any',
    },
    'segment-bytes': {
      type: 'integer',
      default: LIMITS.segmentBytesMax,
      min: 65_536,
      max: 1 << 30,
      help: 'size at which an open segment of the log is sealed; larger: more for each query to read',
    },
    'compaction-interval-ms': {
      type: 'integer',
      default: 5_000,
      min: 50,
      max: 3_600_000,
      help: 'how often the background compaction looks for work',
    },
    'trace-link': {
      type: 'string',
      default: '',
      placeholder: 'URL',
      help: 'where traces are shown, with {traceId}, {spanId}, {service}, {startMs}, {endMs}',
    },
    'log-link': {
      type: 'string',
      default: '',
      placeholder: 'URL',
      help: 'where the log lines of a span are shown, with the same names',
    },
    ...ROLLUP_OPTIONS,
    retention: retentionOption,
    'query-budget': queryBudgetOption,
    'result-cache-bytes': {
      type: 'integer',
      default: 16 << 20,
      min: 0,
      max: 1 << 30,
      help: 'answers over blocks alone that are kept in memory for whoever asks again; 0: none',
    },
    'self-profile': {
      type: 'boolean',
      default: true,
      help: 'profile this server into its own store as service basalt',
    },
  },
  examples: ['basalt serve --data /var/lib/basalt --http 0.0.0.0:4040 --grpc 0.0.0.0:4041'],
  async run({ io, values }) {
    const startedMs = io.clock.monotonicMs();
    const place = storePlace(io, values.data, values);
    const { openStore } = await import('../index.js');
    const retention = values.retention.map(parseRetentionRule);
    const metrics = new MetricsRegistry();
    const opening = openStore({
      ...place,
      metrics,
      segmentBytesMax: values['segment-bytes'],
      compactionIntervalMs: values['compaction-interval-ms'],
      ...rollupLabels(values),
      retention,
      queryBudgets: values['query-budget'].map(parseBudgetRule),
      resultCacheBytes: values['result-cache-bytes'],
    });
    // While the threads of the store start, this one loads what it serves.
    const loading = Promise.all([import('../server/server.js'), uiAssets(io.files)]);
    loading.catch(() => undefined);
    const store = await opening;
    let isFailed = false;
    try {
      const [{ startServer }, ui] = await loading;
      const server = await startServer({
        ingest: store.ingest,
        query: store.query,
        clock: io.clock,
        metrics,
        ready: () => store.status === 'open',
        ui,
        compact: async (signal) => {
          const { twoWriters: _, failures: __, ...counts } = await store.compact({ signal });
          return { ...counts };
        },
        admin: {
          delete: (request) => store.delete(request),
          deletions: (tenantId) => store.deletions(tenantId),
          retention,
        },
        report: (call, error) => io.err(`${call}: ${errorText(error)}\n`),
        links: { trace: values['trace-link'] || undefined, log: values['log-link'] || undefined },
        httpAddress: values.http,
        grpcAddress: values.grpc,
      });
      const elapsedMs = Math.round(io.clock.monotonicMs() - startedMs);
      io.err(
        readyText(server, values.http, values.grpc, `${place.dir}, ready after ${elapsedMs} ms`),
      );
      void warmUpQueries(store.query, io.clock);
      await serveUntilStopped(io, server, store, values['self-profile']);
    } finally {
      isFailed = store.status === 'failed';
      await store.close();
    }
    io.err('basalt: stopped\n');
    return isFailed ? EXIT_FAILED : EXIT_OK;
  },
});

/** Calls under way are finished before the store closes. */
async function serveUntilStopped(
  io: CommandIo,
  server: RunningServer,
  store: Store,
  isProfiled: boolean,
): Promise<void> {
  const selfProfile = isProfiled ? await profileInto(io, store) : undefined;
  try {
    await stopped(io, store);
    io.err('basalt: stopping (a second signal ends it at once)\n');
  } finally {
    await selfProfile?.close();
    await server.close();
  }
}

/** A server that cannot profile itself serves all the same. */
async function profileInto(io: CommandIo, store: Store): Promise<SelfProfile | undefined> {
  const report = (error: unknown): void => io.err(`basalt: self profile: ${errorText(error)}\n`);
  try {
    const { startSelfProfile } = await import('../server/self-profile.js');
    return await startSelfProfile({
      write: (request) => store.write(request),
      clock: io.clock,
      report,
    });
  } catch (error) {
    report(error);
    return undefined;
  }
}

/** Resolves at a signal, or when the write side died: then only a new start helps, which is a supervisor's business. */
async function stopped(io: CommandIo, store: Store): Promise<void> {
  while (!io.signal.aborted) {
    if (store.status === 'failed') {
      io.err('basalt: the write side failed, nothing more can be stored\n');
      return;
    }
    await io.clock.sleep(STATUS_INTERVAL_MS, io.signal).catch(() => undefined);
  }
}

function readyText(server: RunningServer, http: string, grpc: string, dir: string): string {
  return [
    `basalt: page and HTTP API on http://${hostOf(http)}:${server.httpPort}/`,
    `basalt: gRPC on ${hostOf(grpc)}:${server.grpcPort}`,
    `basalt: data in ${dir}`,
    '',
  ].join('\n');
}

function hostOf(address: string): string {
  const host = address.slice(0, address.lastIndexOf(':'));
  return host === '' ? '127.0.0.1' : host;
}

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
