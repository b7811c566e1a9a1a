import { bytesText } from './format-value.js';

/** What `basalt inspect --json` has at least. */
export interface InspectReport {
  readonly profiles: number;
  readonly samples: number;
  readonly bytes: number;
  readonly bytesPerSample: number;
  readonly blocks: readonly InspectBlock[];
  readonly log: { readonly segments: number; readonly bytes: number };
}

export interface InspectBlock {
  readonly id: string;
  readonly level: number;
  /** Profile starts, unix milliseconds. */
  readonly start: number;
  readonly end: number;
  readonly samples: number;
  readonly bytes: {
    readonly total?: number;
    readonly tables: Readonly<Record<string, number>>;
    readonly columns: Readonly<Record<string, number>>;
  };
}

const COLUMNS_SHOWN = 8;

export function inspectText(report: InspectReport): string {
  const { profiles, samples, bytes, bytesPerSample, blocks, log } = report;
  const lines = [
    `profiles  ${profiles.toLocaleString('en-US')}`,
    `samples   ${samples.toLocaleString('en-US')}`,
    `bytes     ${bytesText(bytes)} (${bytesPerSample.toFixed(3)} a sample)`,
    `log       ${log.segments} segments, ${bytesText(log.bytes)}`,
    `blocks    ${blocks.length}`,
  ];
  for (const block of blocks) lines.push(...blockLines(block));
  return `${lines.join('\n')}\n`;
}

function blockLines(block: InspectBlock): string[] {
  const tables = Object.entries(block.bytes.tables).sort(([, a], [, b]) => b - a);
  const columns = Object.entries(block.bytes.columns).sort(([, a], [, b]) => b - a);
  const sum = tables.reduce((total, [, sizeBytes]) => total + sizeBytes, 0);
  const from = new Date(block.start).toISOString();
  const to = new Date(block.end).toISOString();
  return [
    `  ${block.id}  level ${block.level}  ${from} to ${to}  ${block.samples} samples  ${bytesText(sum)}`,
    `    tables   ${sizes(tables)}`,
    `    columns  ${sizes(columns.slice(0, COLUMNS_SHOWN))}`,
  ];
}

function sizes(entries: readonly (readonly [string, number])[]): string {
  return entries.map(([name, sizeBytes]) => `${name} ${bytesText(sizeBytes)}`).join(', ');
}
