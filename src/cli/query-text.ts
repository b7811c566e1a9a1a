import { unreachable } from '../base/assert.js';
import { formatValue } from './format-value.js';

export const QUERY_WHATS = ['merge', 'top', 'series', 'labels', 'types', 'timeseries'] as const;
export type QueryWhat = (typeof QUERY_WHATS)[number];

/** Answers of the HTTP API as lines for a terminal. */
export function answerText(what: QueryWhat, answer: Uint8Array, rowsMax: number): string {
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

interface TimeSeriesJson {
  readonly unit: string;
  readonly series: readonly {
    readonly labels: Record<string, string>;
    readonly points: readonly (readonly [number, string])[];
  }[];
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
  const table = [['self', 'self%', 'total', 'total%', 'function'], ...rows];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...table.map((row) => row[i]?.length ?? 0)));
  const body = table.map((row) =>
    row.map((cell, i) => (i < 4 ? cell.padStart(widths[i] ?? 0) : cell)).join('  '),
  );
  const rest = top.functions.length - shown.length;
  const head = `total ${formatValue(total, top.unit)}`;
  const foot = rest > 0 ? [`... ${rest} more functions (--rows)`] : [];
  return lines([head, ...body, ...foot]);
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
  return lines(out);
}
