import { svgElement } from './dom.js';
import { formatTime } from './format.js';

/** Pictures over time: how wide they are, and where time begins and ends in them. */
export const WIDTH = 1200;
export const LEFT = 70;
/** Height of the line of times below. */
export const BOTTOM = 18;
const TICKS = 6;

/** Where a time of the range lies. */
export function timeScale(range) {
  return (ms) => LEFT + ((ms - range.start) / (range.end - range.start)) * (WIDTH - LEFT);
}

/** The times below a picture of this height. */
export function timeAxis(range, height) {
  const x = timeScale(range);
  const rangeMs = range.end - range.start;
  return Array.from({ length: TICKS }, (_, i) => {
    const ms = range.start + ((i + 0.5) / TICKS) * rangeMs;
    const place = { class: 'axis', x: x(ms), y: height - 4, 'text-anchor': 'middle' };
    return svgElement('text', place, formatTime(ms, rangeMs));
  });
}
