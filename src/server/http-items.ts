import type { BeforeOom, Heatmap, ItemList, ItemsQuery, ProfileItem } from '../query/api.js';
import { sortedJson, withStats, writeStats } from './http-json.js';
import { JsonText } from './json-text.js';
import { type LinkTemplates, linksOf } from './links.js';

/** The JSON of single profiles and spans, as docs/api.md has it. */

/** `spans` or `profiles`. */
export function itemsJson(
  answer: ItemList,
  kind: ItemsQuery['kind'],
  templates: LinkTemplates,
): Buffer {
  const text = new JsonText().raw('{"unit":').value(answer.unit).raw(`,"${kind}s":[`);
  answer.items.forEach((item, i) => {
    text.raw(i > 0 ? ',' : '').value(itemValue(item, kind, templates));
  });
  text.raw(`],"hidden":${answer.hiddenItems}`);
  return writeStats(text, answer.stats).finish();
}

function itemValue(item: ProfileItem, kind: ItemsQuery['kind'], templates: LinkTemplates): object {
  const { labels, startMs, profileId, spanId, traceId } = item;
  const ids = kind === 'span' ? { spanId, traceId, links: linksOf(item, templates) } : {};
  return { ...ids, profileId, startMs, labels: sortedJson(labels), value: String(item.value) };
}

export interface HeatmapShape {
  readonly kind: ItemsQuery['kind'];
  readonly stepMs: number;
  readonly links: LinkTemplates;
}

export function heatmapJson(answer: Heatmap, { kind, stepMs, links }: HeatmapShape): Buffer {
  const text = new JsonText().raw('{"unit":').value(answer.unit);
  text.raw(`,"stepMs":${stepMs},"bucketStart":[${answer.bucketStart.join()}],"series":[`);
  answer.series.forEach(({ labels, slots }, i) => {
    text
      .raw(i > 0 ? ',{"labels":' : '{"labels":')
      .value(sortedJson(labels))
      .raw(',"slots":[');
    slots.forEach(({ timestampMs, counts, exemplar }, s) => {
      text.raw(`${s > 0 ? ',' : ''}{"startMs":${timestampMs},"counts":[${counts.join()}]`);
      if (exemplar !== undefined) {
        text.raw(',"exemplar":').value(itemValue(exemplar, kind, links));
      }
      text.raw('}');
    });
    text.raw(']}');
  });
  return writeStats(text.raw(']'), answer.stats).finish();
}

export function beforeOomJson({ stats, series, profiles, ...answer }: BeforeOom): Buffer {
  const value = {
    ...answer,
    profiles: profiles.map((item) => itemValue(item, 'profile', {})),
    points: [...series.timestampMs].map((ms, i) => [ms, String(series.value[i])]),
  };
  return withStats(value, stats);
}
