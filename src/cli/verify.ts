import type { LostPart, Maintenance, RebuiltManifest, RepairReport } from '../index.js';
import { command, type CommandIo, EXIT_FAILED, EXIT_OK } from './command.js';
import { BUCKET_OPTIONS, storePlace, type StorePlace } from './store-location.js';

export const verifyCommand = command({
  name: 'verify',
  summary: 'check every checksum and invariant; exit 1 and one line for each finding',
  options: {
    data: { type: 'string', default: 'data', placeholder: 'DIR', help: 'data directory' },
    ...BUCKET_OPTIONS,
    repair: {
      type: 'boolean',
      default: false,
      help: 'put aside what is damaged, while no server runs, and say what was lost',
    },
    'rebuild-manifest': {
      type: 'boolean',
      default: false,
      help: 'make lost and damaged manifests anew from the blocks, while nothing uses the bucket',
    },
  },
  examples: ['basalt verify --data ./data', 'basalt verify --data ./data --repair'],
  async run({ io, values }) {
    const place = storePlace(io, values.data, values);
    const isRebuild = values['rebuild-manifest'];
    if (!values.repair && !isRebuild) return (await findingsOf(io, place)) ? EXIT_FAILED : EXIT_OK;
    const { openMaintenance } = await import('../index.js');
    const maintenance = await openMaintenance(place);
    let found = false;
    try {
      if (isRebuild) found = (await rebuild(io, maintenance)) || found;
      if (values.repair) found = (await repair(io, maintenance)) || found;
    } finally {
      await maintenance.close();
    }
    return (await findingsOf(io, place)) || found ? EXIT_FAILED : EXIT_OK;
  },
});

/** True if there are any. */
async function findingsOf(io: CommandIo, place: StorePlace): Promise<boolean> {
  const { openSnapshot } = await import('../index.js');
  const snapshot = await openSnapshot(place);
  try {
    const findings = await snapshot.verify();
    for (const finding of findings) {
      await io.out(`${finding.part}: ${finding.code} ${finding.message}\n`);
    }
    if (findings.length === 0) await io.out('no findings\n');
    return findings.length > 0;
  } finally {
    await snapshot.close();
  }
}

async function rebuild(io: CommandIo, maintenance: Maintenance): Promise<boolean> {
  const rebuilt = await maintenance.rebuildManifests();
  for (const manifest of rebuilt) await io.out(rebuiltText(manifest));
  if (rebuilt.length === 0) await io.out('no manifest is lost or damaged\n');
  return rebuilt.length > 0;
}

function rebuiltText(manifest: RebuiltManifest): string {
  const { tenantId, code, version, blocks, profiles, carries, leftOut } = manifest;
  const lines = [
    `manifest of ${tenantId}: ${code}; made version ${version} with ${blocks} blocks, ${profiles} profiles, ${carries} carries`,
    ...leftOut.map(({ name, reason }) => `  without ${name}: ${reason}`),
  ];
  return `${lines.join('\n')}\n`;
}

async function repair(io: CommandIo, maintenance: Maintenance): Promise<boolean> {
  const { lost, manifests }: RepairReport = await maintenance.repair();
  for (const part of lost) await io.out(lostText(part));
  for (const { tenantId, error } of manifests) {
    await io.out(`manifest of ${tenantId}: ${error.code}; --rebuild-manifest makes one anew\n`);
  }
  return lost.length + manifests.length > 0;
}

function lostText(lost: LostPart): string {
  const { part, code, message, movedTo, tenantId, services, profiles, start, end } = lost;
  const what = [
    ...(profiles === undefined ? [] : [`${profiles} profiles`]),
    ...(tenantId === undefined ? [] : [`of tenant ${tenantId}`]),
    ...(services === undefined ? [] : [`services ${services.join(', ')}`]),
    ...(start === undefined || end === undefined
      ? []
      : [`from ${new Date(start).toISOString()} to ${new Date(end).toISOString()}`]),
  ];
  return `${part}: ${code} ${message}\n  lost: ${what.join(' ') || 'nobody can tell what'}\n  moved to ${movedTo}\n`;
}
