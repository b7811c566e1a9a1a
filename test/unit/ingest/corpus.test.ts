import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemRng } from '../../../src/env/rng.js';
import { SegmentReader } from '../../../src/head/segment-reader.js';
import { NO_BLOCKS } from '../../support/no-blocks.js';
import { openIngest } from '../../../src/ingest/ingest.js';
import { LossyFiles } from '../../support/lossy-files.js';
import { ManualClock } from '../../support/manual-clock.js';
import { readPprof } from '../../support/read-pprof.js';
import { storedProfiles } from '../../support/segment-rows.js';

const corpus = join(import.meta.dirname, '../../../../shared/corpus');

function someFiles(): string[] {
  if (!existsSync(corpus)) return [];
  const all = readdirSync(corpus, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.pb.gz'))
    .sort();
  return all.filter((_, i) => i % 97 === 0);
}

describe.skipIf(!existsSync(corpus))('recorded profiles', () => {
  it('come back from the log as they were sent (I1, I5)', async () => {
    const files = new LossyFiles();
    const clock = new ManualClock(Date.now());
    const ingest = await openIngest({
      files,
      clock,
      rng: systemRng,
      logDir: '/data/log',
      store: NO_BLOCKS,
    });
    const reader = new SegmentReader({ files, dir: '/data/log' });
    const sent = someFiles().map((name) => readFileSync(join(corpus, name)));
    const results = await Promise.all(
      sent.map((profile) =>
        ingest.write('anonymous', { labels: [{ name: 'service_name', value: 'svc' }], profile }),
      ),
    );
    const position = await ingest.position();
    const stored = (await Promise.all(position.segments.map((s) => reader.view(s)))).flatMap(
      storedProfiles,
    );
    expect(stored.length).toBe(sent.length);
    sent.forEach((body, i) => {
      const want = readPprof(body);
      const got = stored.find((profile) => profile.id === results[i]?.profileId)!;
      expect(got.types).toEqual(want.types);
      expect(got.startNs).toBe(want.timeNs);
      expect(got.durationNs).toBe(want.durationNs);
      expect(got.period).toBe(want.period);
      expect(got.rows).toEqual(want.types.map((_, t) => want.rows(t)));
    });
    await ingest.close();
  });
});
