import { element } from './dom.js';
import { formatPercent } from './format.js';

/** Rows in the page; the API has more. */
const ROWS_MAX = 200;

const points = (change) => `${change > 0 ? '+' : ''}${(100 * change).toFixed(2)} pp`;

/** The functions of a comparison, the greatest changes of their shares first; a click on one calls `onPick` with its name. */
export function changesTable(container, onPick) {
  let order = 'self';
  let answer;

  function draw(next) {
    answer = next;
    const key = `${order}Change`;
    const rows = answer.comparisons[0].functions
      .toSorted((a, b) => Math.abs(b[key]) - Math.abs(a[key]))
      .slice(0, ROWS_MAX)
      .map(row);
    const heads = element('tr', {}, head('self'), head('total'), element('th', {}, 'function'));
    container.replaceChildren(
      element('table', {}, element('thead', {}, heads), element('tbody', {}, ...rows)),
    );
  }

  function head(key) {
    const button = element('button', { type: 'button' }, `${key} change`);
    button.addEventListener('click', () => {
      order = key;
      draw(answer);
    });
    return element('th', order === key ? { 'aria-sort': 'descending' } : {}, button);
  }

  function row(change) {
    const name = element('td', {}, change.function, element('small', {}, change.file));
    const node = element('tr', {}, cell(change, 'self'), cell(change, 'total'), name);
    node.addEventListener('click', () => onPick(change.function));
    return node;
  }

  function cell(change, kind) {
    const isSignificant = kind === 'self' ? change.isSelfSignificant : change.isTotalSignificant;
    const before = formatPercent(Number(change.base[kind]), Number(answer.base.total));
    const now = formatPercent(Number(change.other[kind]), Number(answer.comparisons[0].side.total));
    return element(
      'td',
      isSignificant ? {} : { class: 'chance' },
      points(change[`${kind}Change`]),
      element('small', {}, `${before} → ${now}`),
    );
  }

  return { draw };
}
