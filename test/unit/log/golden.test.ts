import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listLogPosition } from '../../../src/head/log-position.js';
import { SegmentReader } from '../../../src/head/segment-reader.js';
import { cpuRequest, LOG_DIR, openTestIngest } from '../../support/ingest-store.js';
import { LossyFiles } from '../../support/lossy-files.js';
import { plainPprof } from '../../support/plain-pprof.js';
import { type StoredProfile, storedProfiles } from '../../support/segment-rows.js';

/**
 * Segments of version 1, as the first writer of that version made them. They are never made anew: a file of its own is
 * added when what a writer writes changes within the version (set GOLDEN_NAME to a new name to write one).
 */
const golden = join(import.meta.dirname, '../../golden/segment-v1');
/** The schema messages of `first` came from another library, with other padding. */
const NEWEST = 'second.segment';
const instance = '01234567-89ab-4def-8123-456789abcdef';

function plain(profiles: readonly StoredProfile[]): unknown {
  const json = (_: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Map ? Object.fromEntries([...value].sort()) : value;
  };
  return JSON.parse(JSON.stringify(profiles, json));
}

async function segmentOf(bytes: Uint8Array): Promise<StoredProfile[]> {
  const files = new LossyFiles();
  await files.makeDir(`${LOG_DIR}/${instance}`);
  await files.writeNew(`${LOG_DIR}/${instance}/0000000000000001.segment`, bytes);
  const { segments } = await listLogPosition(files, LOG_DIR);
  const view = await new SegmentReader({ files, dir: LOG_DIR }).view(segments[0]!);
  return storedProfiles(view);
}

async function writeSegment(): Promise<Uint8Array> {
  const files = new LossyFiles();
  await files.makeDir(`${LOG_DIR}/${instance}`);
  const { ingest } = await openTestIngest(files);
  await ingest.write('anonymous', cpuRequest('a', 1));
  await Promise.all([
    ingest.write('anonymous', cpuRequest('a', 2, { stacks: 5 })),
    ingest.write('other', cpuRequest('b', 2, { id: 'given', timeless: true })),
  ]);
  const heap = plainPprof({
    types: ['alloc_objects', 'alloc_space', 'inuse_objects', 'inuse_space', 'more'].map((type) => ({
      type,
      unit: 'count',
    })),
    periodType: 'space',
    periodUnit: 'bytes',
    startMs: 1_600_000_003_000,
    samples: [
      { functions: [], values: [1n, 2n ** 61n, -1n, 0n, 7n] },
      {
        functions: ['main', 'alloc'],
        values: [3n, 2n ** 33n, 0n, 0n, 0n],
        labels: { kind: 'ünïcode' },
      },
    ],
  });
  await ingest.write('anonymous', {
    labels: [{ name: 'service_name', value: 'db' }],
    profile: heap,
  });
  await ingest.seal();
  return files.readAll(`${LOG_DIR}/${instance}/0000000000000001.segment`);
}

describe('golden segments', () => {
  const add = process.env['GOLDEN_NAME'];
  if (add !== undefined && !existsSync(join(golden, `${add}.segment`))) {
    it('adds one', async () => {
      const bytes = await writeSegment();
      mkdirSync(golden, { recursive: true });
      writeFileSync(join(golden, `${add}.segment`), bytes);
      const text = JSON.stringify(plain(await segmentOf(bytes)), undefined, 1);
      writeFileSync(join(golden, `${add}.json`), `${text}\n`);
    });
  }

  const names = readdirSync(golden).filter((name) => name.endsWith('.segment'));
  it('are there', () => {
    expect(names.length).toBeGreaterThan(0);
  });

  it.each(names)('%s reads as it did', async (name) => {
    const want: unknown = JSON.parse(
      readFileSync(join(golden, name.replace('.segment', '.json')), 'utf8'),
    );
    expect(plain(await segmentOf(readFileSync(join(golden, name))))).toEqual(want);
  });

  it(`${NEWEST} is what the writer still writes`, async () => {
    expect(Buffer.from(await writeSegment()).equals(readFileSync(join(golden, NEWEST)))).toBe(true);
  });
});
