import type { Deletion, InspectedBlock, Inspection } from '../index.js';
import { bytesText } from './format-value.js';

const COLUMNS_SHOWN = 8;

export function inspectText(report: Inspection): string {
  const { profiles, samples, bytes, bytesPerSample, blocks, log } = report;
  const lines = [
    `profiles  ${profiles.toLocaleString('en-US')}`,
    `samples   ${samples.toLocaleString('en-US')}`,
    `bytes     ${bytesText(bytes)} (${bytesPerSample.toFixed(3)} a sample)`,
    `log       ${log.segments} segments, ${bytesText(log.bytes)}`,
    `blocks    ${blocks.length}`,
  ];
  for (const { part, message } of report.damage) lines.push(`damaged   ${part}: ${message}`);
  for (const { deletions } of report.tenants) lines.push(...deletions.map(deletionLine));
  for (const block of blocks) lines.push(...blockLines(block));
  return `${lines.join('\n')}\n`;
}

function deletionLine({ tenantId, id, selector, blocks }: Deletion): string {
  return `deleting  ${selector} of ${tenantId} (${id}): ${blocks} blocks to rewrite`;
}

function blockLines(block: InspectedBlock): string[] {
  const tables = Object.entries(block.bytes.tables).sort(([, a], [, b]) => b - a);
  const columns = Object.entries(block.bytes.columns).sort(([, a], [, b]) => b - a);
  const from = new Date(block.start).toISOString();
  const to = new Date(block.end).toISOString();
  return [
    `  ${block.id}  level ${block.level}  ${from} to ${to}  ${block.samples} samples  ${bytesText(block.bytes.total)}`,
    ...sumsLine(block),
    ...(block.damage === undefined ? [] : [`    damaged  ${block.damage}`]),
    `    tables   ${sizes(tables)}`,
    `    columns  ${sizes(columns.slice(0, COLUMNS_SHOWN))}`,
  ];
}

function sumsLine({ sums }: InspectedBlock): string[] {
  if (sums === undefined) return [];
  const { width, droppedLabels } = sums;
  const without = droppedLabels.length === 0 ? '' : `, without ${droppedLabels.join(', ')}`;
  return [`    old profiles as sums of up to ${width}${without}`];
}

function sizes(entries: readonly (readonly [string, number])[]): string {
  return entries.map(([name, sizeBytes]) => `${name} ${bytesText(sizeBytes)}`).join(', ');
}
