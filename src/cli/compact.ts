import { setFlagsFromString } from 'node:v8';
import { isKind, StoreError } from '../base/errors.js';
import type { Inspection, RetentionRule, Store } from '../index.js';
import { parseRetentionRule } from '../manifest/retention.js';
import { command, EXIT_OK, type CommandIo } from './command.js';
import { retentionOption } from './common-options.js';
import { bytesText } from './format-value.js';
import { startProgress } from './progress.js';
import {
  BUCKET_OPTIONS,
  ROLLUP_OPTIONS,
  rollupLabels,
  storePlace,
  type StorePlace,
} from './store-location.js';

export const compactCommand = command({
  name: 'compact',
  summary: 'compact a data directory now, while no server runs on it',
  options: {
    data: { type: 'string', default: 'data', placeholder: 'DIR', help: 'data directory' },
    ...BUCKET_OPTIONS,
    ...ROLLUP_OPTIONS,
    retention: retentionOption,
    full: {
      type: 'boolean',
      default: false,
      help: 'until nothing is left to do, level 0 included, and collect what is dead at once',
    },
  },
  examples: [
    'basalt compact --data ./data --full',
    'basalt compact --data ./data --retention 7d/1h:1y',
  ],
  async run({ io, values }) {
    // The heap is collected before it has grown by a third, not by its double: 220 in place of 250 MB at the peak. A
    // server would pay for it with a tenth of its CPU; here it does not show.
    setFlagsFromString('--heap-growing-percent=30');
    const store = await openUnlocked({
      ...storePlace(io, values.data, values),
      ...rollupLabels(values),
      retention: values.retention.map(parseRetentionRule),
    });
    try {
      await compactWithProgress(io, store, values.full);
    } finally {
      await store.close();
    }
    return EXIT_OK;
  },
});

async function openUnlocked(
  place: StorePlace & {
    readonly rollupLabels?: readonly string[];
    readonly retention: readonly RetentionRule[];
  },
): Promise<Store> {
  try {
    const { openStore } = await import('../index.js');
    // One thing at a time: a thread each for ingest and query would only cost memory.
    return await openStore({ ...place, compaction: 'manual', threads: false });
  } catch (error) {
    if (!isKind(error, 'conflict')) throw error;
    throw new StoreError({
      kind: 'conflict',
      code: 'PS_DIR_LOCKED',
      message: `cannot compact ${place.dir}: got a lock (${StoreError.from(error).message}); want no process on it: stop the server first, or ask it with POST /api/v1/compact`,
      cause: error,
    });
  }
}

async function compactWithProgress(io: CommandIo, store: Store, full: boolean): Promise<void> {
  const progress = startProgress(io);
  try {
    await store.compact({
      full,
      signal: io.signal,
      onProgress: ({ tenantId, kind, level, profilesDone, profilesTotal }) => {
        const text = `profiles (${kind} to level ${level}, tenant ${tenantId})`;
        progress.update(profilesDone, profilesTotal, text);
      },
    });
  } finally {
    progress.end();
  }
  await io.out(`now ${sizeText(await store.inspect())}\n`);
}

function sizeText({ bytes, blocks, log }: Inspection): string {
  return `${bytesText(bytes)} in ${blocks.length} blocks and ${log.segments} segments`;
}
