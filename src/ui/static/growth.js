import * as api from './api.js';
import { byId, element } from './dom.js';
import { formatTime, formatValue } from './format.js';
import { statsNotes } from './notes.js';

/** The call paths whose memory grew most between an instance's first profile of the range and its last. */
export function growthView(chart) {
  return {
    async load({ query: { selector, start, end }, range }, signal) {
      const answer = await api.beforeOom({ selector, start, end }, signal);
      return () => {
        const { unit, stepMs, points } = answer;
        chart.draw({ unit, stepMs, series: [{ labels: {}, points }] }, range);
        byId('summary').textContent = summary(answer, range.end - range.start);
        byId('growth-view').replaceChildren(pathTable(answer));
        return statsNotes(answer);
      };
    },
  };
}

function summary({ unit, profileType, first, last, hiddenPaths, profileCount }, rangeMs) {
  const side = ({ startMs, total }) =>
    `${formatValue(Number(total), unit)} at ${formatTime(startMs, rangeMs)}`;
  const hidden = hiddenPaths.toLocaleString();
  const more = hiddenPaths > 0 ? ` ${hidden} paths that grew less are not shown.` : '';
  return `${profileType}: ${side(first)}, ${side(last)}, ${profileCount.toLocaleString()} profiles.${more}`;
}

function pathTable({ unit, paths }) {
  const heads = element(
    'tr',
    {},
    element('th', {}, 'growth'),
    element('th', {}, 'call path, root first'),
  );
  const rows = paths.map(({ path, before, after }) => {
    const grown = `+${formatValue(Number(after) - Number(before), unit)}`;
    const sides = [before, after].map((value) => formatValue(Number(value), unit)).join(' → ');
    return element(
      'tr',
      {},
      element('td', {}, grown, element('small', {}, sides)),
      element('td', {}, path.length === 0 ? 'no stack' : path.join(' › ')),
    );
  });
  return element('table', {}, element('thead', {}, heads), element('tbody', {}, ...rows));
}
