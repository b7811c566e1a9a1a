import { unreachable } from '../base/assert.js';
import type { QueryPlan } from '../query/api.js';
import { bytesText, formatValue } from './format-value.js';

export const QUERY_WHATS = [
  'merge',
  'top',
  'timeseries',
  'profiles',
  'spans',
  'heatmap',
  'diff',
  'oom',
  'regressions',
  'types',
  'series',
  'labels',
] as const;
export type QueryWhat = (typeof QUERY_WHATS)[number];

/** Answers of the HTTP API as lines for a terminal. */
export function answerText(
  what: QueryWhat | 'explain',
  answer: Uint8Array,
  rowsMax: number,
): string {
  const json: unknown = JSON.parse(new TextDecoder().decode(answer));
  switch (what) {
    case 'types':
      return lines((json as { profileTypes: { id: string }[] }).profileTypes.map((t) => t.id));
    case 'labels': {
      const { labels, values } = json as { labels?: string[]; values?: string[] };
      return lines(labels ?? values ?? []);
    }
    case 'series':
      return lines((json as { series: Record<string, string>[] }).series.map(selectorText));
    case 'timeseries':
      return timeSeriesText(json as TimeSeriesJson);
    case 'top':
      return topText(json as TopJson, rowsMax);
    case 'profiles':
      return itemsText((json as ItemsJson).profiles ?? [], json as ItemsJson);
    case 'spans':
      return itemsText((json as ItemsJson).spans ?? [], json as ItemsJson);
    case 'regressions':
      return regressionsText(json as RegressionsJson);
    case 'oom':
      return oomText(json as OomJson);
    case 'diff':
      return diffText(json as DiffJson);
    case 'heatmap':
      return heatmapText(json as HeatmapJson);
    case 'explain':
      return planText(json as QueryPlan);
    case 'merge':
      return new TextDecoder().decode(answer);
    default:
      return unreachable(what);
  }
}

interface TopJson {
  readonly unit: string;
  readonly total: string;
  readonly functions: readonly {
    readonly function: string;
    readonly file: string;
    readonly self: string;
    readonly total: string;
  }[];
}

interface ItemJson {
  readonly profileId: string;
  readonly spanId?: string;
  readonly traceId?: string;
  readonly startMs: number;
  readonly labels: Record<string, string>;
  readonly value: string;
}

interface ItemsJson {
  readonly unit: string;
  readonly profiles?: readonly ItemJson[];
  readonly spans?: readonly ItemJson[];
  readonly hidden: number;
}

interface HeatmapJson {
  readonly unit: string;
  readonly bucketStart: readonly number[];
  readonly series: readonly {
    readonly labels: Record<string, string>;
    readonly slots: readonly { readonly startMs: number; readonly counts: readonly number[] }[];
  }[];
}

interface RegressionsJson {
  readonly regressions: readonly {
    readonly function: string;
    readonly kind: string;
    readonly before: number;
    readonly after: number;
    readonly changedMs: number;
    readonly p: number;
    readonly paths: readonly { readonly path: readonly string[] }[];
  }[];
  readonly hidden: number;
  readonly goneAway: number;
  readonly shifted: number;
  readonly profiles: number;
}

interface OomJson {
  readonly unit: string;
  readonly profileType: string;
  readonly first: { readonly startMs: number; readonly total: string };
  readonly last: { readonly startMs: number; readonly total: string };
  readonly profileCount: number;
  readonly paths: readonly {
    readonly path: readonly string[];
    readonly before: string;
    readonly after: string;
  }[];
  readonly hiddenPaths: number;
}

interface DiffJson {
  readonly unit: string;
  readonly base: { readonly total: string; readonly stats: { readonly profiles: number } };
  readonly comparisons: readonly {
    readonly side: { readonly total: string; readonly stats: { readonly profiles: number } };
    readonly functions: readonly {
      readonly function: string;
      readonly base: { readonly self: string };
      readonly other: { readonly self: string };
      readonly selfChange: number;
      readonly selfP?: number;
      readonly isSelfSignificant: boolean;
    }[];
    readonly hidden: number;
  }[];
}

interface TimeSeriesJson {
  readonly unit: string;
  readonly series: readonly {
    readonly labels: Record<string, string>;
    readonly points: readonly (readonly [number, string])[];
  }[];
  readonly hidden: number;
}

function lines(items: readonly string[]): string {
  return items.map((item) => `${item}\n`).join('');
}

function selectorText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `{${pairs.join(',')}}`;
}

function topText(top: TopJson, rowsMax: number): string {
  const total = BigInt(top.total);
  const shown = top.functions.slice(0, rowsMax);
  const rows = shown.map((f) => [
    formatValue(BigInt(f.self), top.unit),
    percentText(BigInt(f.self), total),
    formatValue(BigInt(f.total), top.unit),
    percentText(BigInt(f.total), total),
    f.file === '' ? f.function : `${f.function}  ${f.file}`,
  ]);
  const body = tableLines([['self', 'self%', 'total', 'total%', 'function'], ...rows], 0);
  const rest = top.functions.length - shown.length;
  const head = `total ${formatValue(total, top.unit)}`;
  const foot = rest > 0 ? [`... ${rest} more functions (--rows)`] : [];
  return lines([head, ...body, ...foot]);
}

/** Cells in columns: the first `leftCount` begin at the left, the others end at the right; the last is as long as it is. */
function tableLines(rows: readonly (readonly string[])[], leftCount: number): readonly string[] {
  const last = (rows[0]?.length ?? 0) - 1;
  const widths = Array.from({ length: last }, (_, i) =>
    rows.reduce((width, row) => Math.max(width, row[i]?.length ?? 0), 0),
  );
  const pad = (cell: string, i: number): string => {
    if (i >= last) return cell;
    return i < leftCount ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  };
  return rows.map((row) => printable(row.map(pad).join('  ')));
}

/** Names come from whoever sends profiles: none of them may write to the terminal what it takes for commands. */
function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return line.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

/** One decimal, exact for any 64-bit value. */
export function percentText(part: bigint, total: bigint): string {
  if (total === 0n) return '-';
  return `${(Number((part * 10_000n) / total) / 100).toFixed(1)}%`;
}

function timeSeriesText(answer: TimeSeriesJson): string {
  const out: string[] = [];
  for (const { labels, points } of answer.series) {
    out.push(selectorText(labels));
    for (const [ms, value] of points) {
      const time = new Date(ms).toISOString();
      out.push(`  ${time}  ${formatValue(BigInt(value), answer.unit)}`);
    }
  }
  if (answer.hidden > 0) out.push(`... ${answer.hidden} more series (--limit)`);
  return lines(out);
}

/** Time, value, ids, series: one line each. */
function itemsText(items: readonly ItemJson[], { unit, hidden }: ItemsJson): string {
  const rows = items.map(({ profileId, spanId, traceId, startMs, labels, value }) => {
    const ids = [spanId, traceId, profileId].filter((id) => id !== undefined && id !== '');
    const time = new Date(startMs).toISOString();
    return [time, formatValue(BigInt(value), unit), ...ids, selectorText(labels)].join('  ');
  });
  return lines(hidden > 0 ? [...rows, `... ${hidden} more (--limit)`] : rows);
}

const SHADES = ' .:-=+*#%@';

/** A line a step, a character a bucket, from the least value on: the darker, the more. */
function heatmapText({ unit, bucketStart, series }: HeatmapJson): string {
  const most = Math.max(1, ...series.flatMap(({ slots }) => slots.flatMap((s) => s.counts)));
  const shade = (count: number): string =>
    SHADES[Math.ceil((count * (SHADES.length - 1)) / most)] ?? '@';
  const bound = (value: number | undefined): string =>
    formatValue(BigInt(Math.round(value ?? 0)), unit);
  const out = [`${bound(bucketStart[0])} to ${bound(bucketStart.at(-1))} and more`];
  for (const { labels, slots } of series) {
    out.push(selectorText(labels));
    for (const { startMs, counts } of slots) {
      out.push(`  ${new Date(startMs).toISOString()} |${counts.map(shade).join('')}|`);
    }
  }
  return lines(out);
}

function planText(plan: QueryPlan): string {
  const { stages, parts, stats, requests, bytes, blocksInRange, segmentsInRange } = plan;
  const took = stages.reduce((sum, { ms }) => sum + ms, 0);
  const head = [
    `${took.toFixed(1)} ms: ${stages.map(({ stage, ms }) => `${stage} ${ms.toFixed(1)}`).join(', ')}`,
    `read ${bytesText(bytes)} in ${requests} requests`,
    `blocks ${stats.blocks} of ${blocksInRange} in the range, segments ${stats.segments} of ${segmentsInRange}`,
    `profiles ${stats.profiles} of ${stats.series} series, rows ${stats.rows}, rows of rollups ${stats.tileRows}`,
    ...(stats.sums === '' ? [] : [`old profiles are kept as sums of up to ${stats.sums}`]),
  ];
  const rows = parts.map((part) => [
    part.part,
    part.rollup === '' ? 'samples' : `rollup ${part.rollup}`,
    String(part.profiles),
    String(part.rows),
    String(part.requests),
    bytesText(part.bytes),
  ]);
  const body = tableLines([['part', 'from', 'profiles', 'rows', 'requests', 'bytes'], ...rows], 2);
  const missing = stats.missing.map(({ part, message }) => `missing ${part}: ${message}`);
  return lines([...head, ...body, ...missing]);
}

/** Points of a percent, signed. */
const pointsText = (change: number): string =>
  `${change < 0 ? '' : '+'}${(change * 100).toFixed(2)}%`;

/** Significant changes of self values have a star. */
function diffText({ unit, base, comparisons }: DiffJson): string {
  const side = (name: string, { total, stats }: DiffJson['base']): string =>
    `${name} ${formatValue(BigInt(total), unit)} in ${stats.profiles} profiles`;
  const out = [side('base ', base)];
  for (const [i, { side: other, functions, hidden }] of comparisons.entries()) {
    out.push(side(comparisons.length > 1 ? `other ${i + 1}` : 'other', other));
    const rows = functions.map((f) => [
      pointsText(f.selfChange),
      f.isSelfSignificant ? '*' : ' ',
      f.selfP === undefined ? '-' : f.selfP.toPrecision(2),
      formatValue(BigInt(f.base.self), unit),
      formatValue(BigInt(f.other.self), unit),
      f.function,
    ]);
    out.push(...tableLines([['change', ' ', 'p', 'base self', 'self', 'function'], ...rows], 0));
    if (hidden > 0) out.push(`... ${hidden} more functions (--limit)`);
  }
  return lines(out);
}

function oomText({ unit, profileType, first, last, profileCount, ...answer }: OomJson): string {
  const value = (text: string): string => formatValue(BigInt(text), unit);
  const level = ({ startMs, total }: OomJson['first']): string =>
    `${value(total)} at ${new Date(startMs).toISOString()}`;
  const out = [
    `${profileType}, ${profileCount} profiles`,
    `from ${level(first)}`,
    `to   ${level(last)}`,
  ];
  for (const { path, before, after } of answer.paths) {
    out.push(
      `+${value(String(BigInt(after) - BigInt(before)))} (${value(before)} to ${value(after)})`,
    );
    out.push(`    ${path.join(' > ') || '[empty]'}`);
  }
  if (answer.hiddenPaths > 0) out.push(`... ${answer.hiddenPaths} more paths (--limit)`);
  return lines(out);
}

function regressionsText({ regressions, hidden, ...answer }: RegressionsJson): string {
  const percent = (share: number): string => `${(share * 100).toFixed(1)}%`;
  const out = [
    `${regressions.length + hidden} in ${answer.profiles} profiles; ${answer.goneAway} went away, ${answer.shifted} only moved`,
  ];
  for (const { function: name, kind, before, after, changedMs, p, paths } of regressions) {
    const when = new Date(changedMs).toISOString();
    const shares = `${percent(before)} to ${percent(after)}`;
    out.push(`${name} (${kind}) ${shares} at ${when}, p ${p.toPrecision(2)}`);
    for (const { path } of paths) out.push(`    ${path.join(' > ')}`);
  }
  if (hidden > 0) out.push(`... ${hidden} more (--limit)`);
  return lines(out);
}
