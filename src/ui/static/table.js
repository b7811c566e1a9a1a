import { element } from './dom.js';
import { formatPercent, formatValue } from './format.js';

/** Rows in the page; more functions than anyone reads are left to the API. */
const ROWS_MAX = 500;

/** The functions of a top answer in `container`; a click on one calls `onPick` with its name. */
export function topTable(container, onPick) {
  let answer;
  let order = 'self';

  function draw(next) {
    answer = next;
    const total = Number(answer.total);
    const rows = answer.functions.map((f) => ({
      name: f.function,
      file: f.file,
      self: Number(f.self),
      total: Number(f.total),
    }));
    rows.sort((a, b) => b[order] - a[order] || (a.name < b.name ? -1 : 1));
    const body = rows.slice(0, ROWS_MAX).map((row) => rowElement(row, total));
    const hidden = rows.length - body.length;
    container.replaceChildren(
      element(
        'table',
        {},
        element('thead', {}, element('tr', {}, head('self'), head('total'), nameHead())),
        element('tbody', {}, ...body),
      ),
      hidden > 0 ? `${hidden} more functions are not shown.` : '',
    );
  }

  function head(key) {
    const button = element('button', { type: 'button' }, key);
    button.addEventListener('click', () => {
      order = key;
      draw(answer);
    });
    return element('th', order === key ? { 'aria-sort': 'descending' } : {}, button);
  }

  function nameHead() {
    return element('th', {}, 'function');
  }

  function rowElement(row, total) {
    const name = element('td', {}, row.name, element('small', {}, row.file));
    const node = element(
      'tr',
      {},
      cell(row.self, total, answer.unit),
      cell(row.total, total, answer.unit),
      name,
    );
    node.addEventListener('click', () => onPick(row.name));
    return node;
  }

  return {
    draw,
    clear() {
      container.replaceChildren();
    },
  };
}

function cell(value, total, unit) {
  return element(
    'td',
    {},
    formatValue(value, unit),
    element('small', {}, formatPercent(value, total)),
  );
}
