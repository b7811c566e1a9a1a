import * as api from './api.js';
import { BOTTOM, LEFT, timeAxis, timeScale, WIDTH } from './axis.js';
import { byId, element, svgElement } from './dom.js';
import { formatLabels, formatTime, formatValue } from './format.js';
import { statsNotes } from './notes.js';

const HEIGHT = 200;
/** Values named beside a picture. */
const LINES = 5;
/** Pictures, one a series; more are not looked at side by side. */
const SERIES_MAX = 8;

/**
 * How many profiles had which value, step by step. `details` says what is under the pointer; a click on a step calls `onProfile`
 * with the profile that had the greatest value in it.
 */
export function heatmapView(state, { details, onProfile }) {
  async function load({ query, range }, signal) {
    const answer = await api.heatmap({ ...query, groupBy: state.group, exemplars: true }, signal);
    return () => {
      const profiles = answer.stats.profiles.toLocaleString();
      byId('summary').textContent = `how many of ${profiles} profiles had which value`;
      draw(answer, range);
      return statsNotes(answer);
    };
  }

  function draw(answer, range) {
    const shown = answer.series.slice(0, SERIES_MAX);
    const hidden = answer.series.length - shown.length;
    byId('heatmap-view').replaceChildren(
      ...shown.flatMap((series) => [
        element('p', {}, formatLabels(series.labels)),
        picture(answer, series, range),
      ]),
      hidden > 0 ? `${hidden.toLocaleString()} more series are not shown.` : '',
    );
  }

  function picture(answer, series, range) {
    const svg = svgElement('svg', {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: 'none',
    });
    const { bucketStart, stepMs } = answer;
    const x = timeScale(range);
    const high = (HEIGHT - BOTTOM) / bucketStart.length;
    const y = (bucket) => HEIGHT - BOTTOM - (bucket + 1) * high;
    const most = Math.max(1, ...series.slots.flatMap((slot) => slot.counts));
    for (const slot of series.slots) {
      const left = Math.max(LEFT, x(slot.startMs));
      const width = Math.max(1, Math.min(WIDTH, x(slot.startMs + stepMs)) - left - 0.5);
      slot.counts.forEach((count, bucket) => {
        if (count === 0) return;
        const box = { x: left, y: y(bucket), width, height: Math.max(1, high - 0.5) };
        const rect = svgElement('rect', { ...box, 'fill-opacity': 0.15 + (0.85 * count) / most });
        rect.addEventListener('pointerenter', () => {
          details.textContent = cellText(answer, slot, bucket, range);
        });
        if (slot.exemplar !== undefined)
          rect.addEventListener('click', () => onProfile(slot.exemplar));
        svg.append(rect);
      });
    }
    svg.append(...valueAxis(answer, y), ...timeAxis(range, HEIGHT));
    return svg;
  }

  return { load };
}

function cellText({ bucketStart, unit }, slot, bucket, range) {
  const from = formatValue(Number(bucketStart[bucket]), unit);
  const next = bucketStart[bucket + 1];
  const values =
    next === undefined ? `${from} and more` : `${from} to ${formatValue(Number(next), unit)}`;
  const time = formatTime(slot.startMs, range.end - range.start);
  return `${time}: ${slot.counts[bucket].toLocaleString()} profiles of ${values}; a click shows the greatest of this time`;
}

function valueAxis({ bucketStart, unit }, y) {
  const out = [];
  const every = Math.max(1, Math.ceil(bucketStart.length / LINES));
  for (let bucket = 0; bucket < bucketStart.length; bucket += every) {
    const text = formatValue(Number(bucketStart[bucket]), unit);
    out.push(svgElement('text', { class: 'axis', x: 2, y: y(bucket - 1) }, text));
  }
  return out;
}
