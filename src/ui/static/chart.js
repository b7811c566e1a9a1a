import { BOTTOM, LEFT, timeAxis, timeScale, WIDTH } from './axis.js';
import { element, svgElement } from './dom.js';
import { formatLabels, formatValue } from './format.js';

const HEIGHT = 120;
const TOP = 6;
const COLORS = [
  '#d9482b',
  '#2f7ed8',
  '#3a9d5d',
  '#a05fbf',
  '#d99a2b',
  '#2ba7a0',
  '#7a5c43',
  '#8a8f98',
];
/** Lines in the picture, the largest first; more cannot be told apart. */
const LINES_MAX = COLORS.length;

/**
 * The totals over time. Steps without a profile are gaps in the line. Dragging over the picture calls `onRange` with
 * start and end in milliseconds.
 */
export function timeChart(container, legend, onRange) {
  function draw(answer, range) {
    const all = answer.series.map((series) => ({
      name: formatLabels(series.labels) || 'total',
      points: series.points.map(([ms, value]) => [ms, Number(value)]),
      sum: series.points.reduce((total, [, value]) => total + Number(value), 0),
    }));
    all.sort((a, b) => b.sum - a.sum);
    const lines = all.slice(0, LINES_MAX);
    const most = Math.max(1, ...lines.flatMap((line) => line.points.map((point) => point[1])));
    const x = timeScale(range);
    const y = (value) => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
    const svg = svgElement('svg', {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: 'none',
    });
    svg.append(...axes(answer, most, y), ...timeAxis(range, HEIGHT));
    lines.forEach((line, i) => {
      svg.append(...lineElements(line.points, answer.stepMs, COLORS[i], { x, y }));
    });
    brush(svg, (from, to) => {
      const at = (px) => range.start + ((px - LEFT) / (WIDTH - LEFT)) * (range.end - range.start);
      onRange(Math.max(range.start, Math.round(at(from))), Math.min(range.end, Math.round(at(to))));
    });
    container.replaceChildren(svg);
    drawLegend(legend, lines, all.length - lines.length);
  }

  return {
    draw,
    clear() {
      container.replaceChildren();
      legend.replaceChildren();
    },
  };
}

function axes(answer, most, y) {
  const out = [];
  for (const part of [0, 0.5, 1]) {
    const at = y(most * part);
    out.push(svgElement('line', { class: 'grid', x1: LEFT, x2: WIDTH, y1: at, y2: at }));
    const text = formatValue(most * part, answer.unit);
    out.push(svgElement('text', { class: 'axis', x: 2, y: at + 4 }, text));
  }
  return out;
}

/** Of neighbouring points: profiles come more rarely than steps where the range is short. */
function usualGap(points) {
  const gaps = points.slice(1).map(([ms], i) => ms - points[i][0]);
  return gaps.sort((a, b) => a - b)[gaps.length >>> 1] ?? 0;
}

/** Runs of neighbouring points as lines, a single one as a dot. */
function lineElements(points, stepMs, color, { x, y }) {
  const gapMax = 1.5 * Math.max(stepMs, usualGap(points));
  const runs = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const point of points) {
    if (point[0] - last > gapMax) runs.push([]);
    runs.at(-1).push(point);
    last = point[0];
  }
  return runs.map((run) => {
    if (run.length === 1) {
      const [[ms, value]] = run;
      return svgElement('circle', { cx: x(ms), cy: y(value), r: 2.5, fill: color });
    }
    const path = run.map(([ms, value]) => `${x(ms).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    return svgElement('polyline', { class: 'line', points: path, stroke: color });
  });
}

function brush(svg, onEnd) {
  let from;
  let mark;
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const px = ((event.clientX - box.left) / box.width) * WIDTH;
    return Math.min(WIDTH, Math.max(LEFT, px));
  };
  svg.addEventListener('pointerdown', (event) => {
    from = place(event);
    mark = svgElement('rect', { class: 'brush', x: from, y: 0, width: 0, height: HEIGHT });
    svg.append(mark);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener('pointermove', (event) => {
    if (mark === undefined) return;
    const to = place(event);
    mark.setAttribute('x', Math.min(from, to));
    mark.setAttribute('width', Math.abs(to - from));
  });
  svg.addEventListener('pointerup', (event) => {
    if (mark === undefined) return;
    const to = place(event);
    mark.remove();
    mark = undefined;
    // Less is a click with an unsteady hand.
    if (Math.abs(to - from) > 5) onEnd(Math.min(from, to), Math.max(from, to));
  });
}

function drawLegend(legend, lines, hidden) {
  const entries = lines.map((line, i) =>
    element(
      'span',
      {},
      svgElement(
        'svg',
        { viewBox: '0 0 10 10' },
        svgElement('rect', { width: 10, height: 10, fill: COLORS[i] }),
      ),
      line.name,
    ),
  );
  legend.replaceChildren(...(lines.length > 1 || lines[0]?.name !== 'total' ? entries : []));
  if (hidden > 0) legend.append(element('span', {}, `${hidden} more are not shown`));
}
