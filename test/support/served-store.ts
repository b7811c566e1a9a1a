/** A store in memory behind a real server, and what it answers about all that was written. */
import { MetricsRegistry } from '../../src/base/metrics.js';
import { startServer } from '../../src/server/server.js';
import { HastyClock } from './hasty-clock.js';
import { LossyFiles } from './lossy-files.js';
import { openOn } from './stored-files.js';
import { inflate, type PlainRows, readPprof } from './read-pprof.js';

export interface ServedStore {
  readonly url: string;
  /** Label sets of all that is stored, each once, as text, sorted. */
  series(): Promise<readonly string[]>;
  types(): Promise<readonly { readonly id: string; readonly temporality: string }[]>;
  /** The merged profile of a type: canonical stack and sample labels to value. */
  rows(type: string, selector?: string): Promise<PlainRows>;
  folded(type: string, selector?: string): Promise<string>;
  close(): Promise<void>;
}

/** The clock of the store begins here. */
export const SERVED_NOW_MS = 1_790_000_100_000;

export async function servedStore(): Promise<ServedStore> {
  const store = await openOn(new LossyFiles());
  const clock = new HastyClock(SERVED_NOW_MS);
  const server = await startServer({
    ingest: store.ingest,
    query: store.query,
    clock,
    metrics: new MetricsRegistry(),
    ready: () => true,
    ui: new Map(),
    httpAddress: '127.0.0.1:0',
    grpcAddress: '127.0.0.1:0',
  });
  const range = {
    tenantId: 'anonymous',
    selector: '',
    startMs: 0,
    endMs: SERVED_NOW_MS + 3_600_000,
  };
  return {
    url: `http://127.0.0.1:${server.httpPort}`,
    series: async () => {
      const { items: all } = await store.query.series(range);
      const texts = all.map(({ __profile_type__: _, ...own }) =>
        JSON.stringify(Object.entries(own).sort()),
      );
      return [...new Set(texts)].sort();
    },
    types: async () => (await store.query.profileTypes(range)).items,
    rows: async (profileType, selector = '') => {
      const { body } = await store.query.mergePprof({ ...range, profileType, selector });
      return readPprof(inflate(body)).rows(0);
    },
    folded: async (profileType, selector = '') => {
      const { body } = await store.query.mergeFolded({ ...range, profileType, selector });
      return Buffer.from(body).toString();
    },
    close: async () => {
      await server.close();
      await store.close();
    },
  };
}
