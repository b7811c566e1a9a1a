import * as api from './api.js';
import { byId, element } from './dom.js';
import { flameView } from './flame.js';
import { formatValue } from './format.js';
import { hiddenNotes, statsNotes } from './notes.js';
import { stackView } from './state.js';
import { topTable } from './table.js';

const SPANS_MAX = 20;

/** All profiles of a selection as one: a flame graph, a table of functions and the spans behind them. */
export function mergeView(state, { details, onPick }) {
  const flame = flameView(byId('flame'), details);
  const table = topTable(byId('top'), onPick);

  async function load({ query }, signal) {
    const merge = { ...query, aggregation: state.aggregation, ...stackView(state) };
    const [tree, top, spans] = await Promise.all([
      api.mergeTree(merge, signal),
      api.mergeTop(merge, signal),
      api.spans({ ...query, limit: SPANS_MAX }, signal).catch((error) => {
        // The flame graph is there all the same.
        if (error.name === 'AbortError') throw error;
        return { spans: [], hidden: 0 };
      }),
    ]);
    return () => {
      table.draw(top);
      flame.draw(tree);
      byId('summary').textContent = mergeSummary(tree);
      byId('download').href = api.pprofUrl(merge);
      drawSpans(spans);
      return [...statsNotes(tree), ...hiddenNotes(tree)];
    };
  }

  return { load, graph: flame };
}

function mergeSummary({ total, unit, stats }) {
  const value = formatValue(Number(total), unit);
  const [profiles, series] = [stats.profiles, stats.series].map((n) => n.toLocaleString());
  const rows = (stats.rows + stats.tileRows).toLocaleString();
  return `${value} in ${profiles} profiles of ${series} series (${rows} rows read)`;
}

/** The spans behind what is shown, with links to their traces and log lines where the server knows them. */
function drawSpans({ spans, hidden }) {
  const list = byId('spans');
  list.replaceChildren(...spans.map((span) => spanItem(span)));
  if (hidden > 0) list.append(element('li', {}, `and ${hidden.toLocaleString()} more`));
  byId('spans-panel').hidden = spans.length === 0;
}

function spanItem({ spanId, traceId, value, links }) {
  const hash = new URLSearchParams(location.hash.slice(1));
  hash.set('span', spanId);
  const own = element('a', { href: `#${hash}` }, spanId);
  const item = element('li', {}, `${Number(value).toLocaleString()} `, own);
  if (traceId !== '') item.append(` of trace ${traceId}`);
  for (const [name, href] of Object.entries(links)) {
    item.append(' ', element('a', { href }, name));
  }
  return item;
}
