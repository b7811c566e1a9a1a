import type {
  ListOf,
  MissingPart,
  FlameTree,
  ProfileTypeInfo,
  QueryPlan,
  QueryStats,
  Sandwich,
  SeriesLabels,
  TimeSeriesAnswer,
  TopTable,
} from '../query/api.js';
import { JsonText } from './json-text.js';

/** The JSON answers of `GET /api/v1/...`, as docs/api.md has them. Values of profiles are decimal strings. */

export function profileTypesJson({ items, missing }: ListOf<ProfileTypeInfo>): Buffer {
  const profileTypes = items.map((type) => ({
    id: type.id,
    name: type.name,
    sampleType: type.sampleType,
    sampleUnit: type.sampleUnit,
    periodType: type.periodType,
    periodUnit: type.periodUnit,
    temporality: type.temporality,
  }));
  return listEnd(new JsonText().raw('{"profileTypes":').value(profileTypes), missing);
}

export function stringsJson(name: 'labels' | 'values', { items, missing }: ListOf<string>): Buffer {
  return listEnd(new JsonText().raw(`{"${name}":`).strings(items), missing);
}

export function seriesJson({ items: series, missing }: ListOf<SeriesLabels>): Buffer {
  const text = new JsonText().raw('{"series":[');
  for (let i = 0; i < series.length; i++) {
    if (i > 0) text.raw(',');
    text.value(sortedJson(series[i] as SeriesLabels));
  }
  return listEnd(text.raw(']'), missing);
}

/** A list says that it is partial only where it is. */
function listEnd(text: JsonText, missing: readonly MissingPart[]): Buffer {
  if (missing.length > 0) text.raw(',"partial":true,"missing":').value(missing);
  return text.raw('}').finish();
}

/** Labels in the order of their names. */
export function sortedJson(labels: SeriesLabels): SeriesLabels {
  return Object.fromEntries(
    Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  );
}

/** The end of an answer. */
export function writeStats(text: JsonText, stats: QueryStats): JsonText {
  return text
    .raw(',"stats":')
    .value(stats)
    .raw(`,"partial":${stats.missing.length > 0}}`);
}

export function treeJson(tree: FlameTree): Buffer {
  const text = new JsonText().raw('{"unit":').value(tree.unit).raw(',"total":').bigint(tree.total);
  return writeStats(writeTree(text.raw(','), tree), tree.stats).finish();
}

export function sandwichJson({ unit, total, callees, callers, stats }: Sandwich): Buffer {
  const text = new JsonText().raw('{"unit":').value(unit).raw(',"total":').bigint(total);
  for (const [name, tree] of Object.entries({ callees, callers })) {
    text.raw(`,"${name}":{"total":`).bigint(tree.total).raw(',');
    writeTree(text, tree).raw('}');
  }
  return writeStats(text, stats).finish();
}

function writeTree(text: JsonText, tree: FlameTree): JsonText {
  text.raw('"names":').strings(tree.names);
  text.raw(',"nodes":{"parent":').int32Array(tree.parent).raw(',"name":').int32Array(tree.name);
  text.raw(',"self":').int64Array(tree.self).raw(',"value":').int64Array(tree.value);
  return text
    .raw(`},"hidden":{"nodes":${tree.hiddenNodes},"value":`)
    .bigint(tree.hiddenValue)
    .raw('}');
}

export function topJson(table: TopTable): Buffer {
  const text = new JsonText()
    .raw('{"unit":')
    .value(table.unit)
    .raw(',"total":')
    .bigint(table.total);
  text.raw(',"functions":[');
  for (let i = 0; i < table.functions.length; i++) {
    const row = table.functions[i] as TopTable['functions'][number];
    text.raw(i > 0 ? ',{"function":' : '{"function":').value(row.functionName);
    text.raw(',"file":').value(row.fileName);
    text.raw(',"self":').bigint(row.self).raw(',"total":').bigint(row.total).raw('}');
  }
  return writeStats(text.raw(']'), table.stats).finish();
}

export function timeSeriesJson(answer: TimeSeriesAnswer, stepMs: number): Buffer {
  const text = new JsonText()
    .raw('{"unit":')
    .value(answer.unit)
    .raw(`,"stepMs":${stepMs},"series":[`);
  for (let i = 0; i < answer.series.length; i++) {
    const { labels, timestampMs, value } = answer.series[i] as TimeSeriesAnswer['series'][number];
    text
      .raw(i > 0 ? ',{"labels":' : '{"labels":')
      .value(sortedJson(labels))
      .raw(',"points":[');
    for (let j = 0; j < timestampMs.length; j++) {
      text.raw(`${j > 0 ? ',' : ''}[${timestampMs[j] as number},"${value[j] as bigint}"]`);
    }
    text.raw(']}');
  }
  text.raw(`],"hidden":${answer.hiddenSeries}`);
  return writeStats(text, answer.stats).finish();
}

export function planJson({ stats, ...plan }: QueryPlan): Buffer {
  return withStats(plan, stats);
}

/** Values of profiles as decimal strings. */
export function plainJson(value: object): Buffer {
  return Buffer.from(plainText(value));
}

export function withStats(value: object, stats: QueryStats): Buffer {
  return writeStats(new JsonText().raw(plainText(value).slice(0, -1)), stats).finish();
}

function plainText(value: object): string {
  return JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v));
}
