import { isKind, StoreError } from '../base/errors.js';
import type { GarbageReport, Maintenance } from '../index.js';
import { command, EXIT_FAILED, EXIT_OK } from './command.js';
import { bytesText } from './format-value.js';
import { BUCKET_OPTIONS, storePlace, type StorePlace } from './store-location.js';

const HOUR_MS = 3_600_000;
const GRACE_HOURS_MAX = 24 * 365;

export const gcCommand = command({
  name: 'gc',
  summary: 'delete what is dead, and what crashes left behind; a running server does so by itself',
  options: {
    data: { type: 'string', default: 'data', placeholder: 'DIR', help: 'data directory' },
    ...BUCKET_OPTIONS,
    'dry-run': { type: 'boolean', default: false, help: 'only say what would be deleted' },
    'grace-hours': {
      type: 'integer',
      default: 24,
      min: 0,
      max: GRACE_HOURS_MAX,
      help: 'age from which on what nothing names is an orphan',
    },
    force: {
      type: 'boolean',
      default: false,
      help: 'also suspiciously much, and what may be the only copy of something',
    },
    json: { type: 'boolean', default: false, help: 'print JSON' },
  },
  examples: ['basalt gc --data ./data --dry-run'],
  async run({ io, values }) {
    const isDryRun = values['dry-run'];
    const maintenance = await openUnlocked(storePlace(io, values.data, values), isDryRun);
    try {
      const reports = await maintenance.collect({
        isDryRun,
        isForced: values.force,
        graceMs: values['grace-hours'] * HOUR_MS,
        signal: io.signal,
      });
      await io.out(values.json ? reportJson(reports) : reportText(reports, isDryRun));
      for (const { error } of reports)
        if (error !== undefined) io.err(`basalt: ${error.message}\n`);
      return reports.some(({ error }) => error !== undefined) ? EXIT_FAILED : EXIT_OK;
    } finally {
      await maintenance.close();
    }
  },
});

async function openUnlocked(place: StorePlace, isReadOnly: boolean): Promise<Maintenance> {
  try {
    const { openMaintenance } = await import('../index.js');
    return await openMaintenance({ ...place, isReadOnly });
  } catch (error) {
    if (!isKind(error, 'conflict')) throw error;
    throw new StoreError({
      kind: 'conflict',
      code: 'PS_DIR_LOCKED',
      message: `cannot collect garbage in ${place.dir}: got a lock (${StoreError.from(error).message}); want no process on it: the server collects by itself, and --dry-run needs no lock`,
      cause: error,
    });
  }
}

function reportJson(reports: readonly GarbageReport[]): string {
  const plain = reports.map(({ error, ...report }) => ({
    ...report,
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  }));
  return `${JSON.stringify(plain, null, 2)}\n`;
}

function reportText(reports: readonly GarbageReport[], isDryRun: boolean): string {
  const lines: string[] = [];
  const verb = isDryRun ? 'would delete' : 'deleted';
  for (const {
    tenantId,
    dead,
    orphans,
    manifestVersions,
    kept,
    orphanPrefixes,
    hasManifest,
  } of reports) {
    lines.push(
      `tenant ${tenantId}: ${verb} ${dead.objects} dead objects (${bytesText(dead.bytes)}), ${orphans.count} orphans (${bytesText(orphans.bytes)}), ${manifestVersions} manifest versions`,
    );
    if (!hasManifest) lines.push('  it has no manifest: nothing was looked at');
    if (isDryRun) for (const prefix of orphanPrefixes) lines.push(`  orphan ${prefix}`);
    for (const { prefix, bytes, reason } of kept) {
      lines.push(`  kept ${prefix} (${bytesText(bytes)}): ${reason}`);
    }
  }
  if (lines.length === 0) lines.push('nothing to look at');
  return `${lines.join('\n')}\n`;
}
