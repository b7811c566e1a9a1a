import * as api from './api.js';
import { timeChart } from './chart.js';
import { byId, element, setOptions } from './dom.js';
import { flameView } from './flame.js';
import { formatValue, toLocalInput } from './format.js';
import {
  rangeOf,
  readState,
  STACK_FILTERS,
  STACK_FLAGS,
  stackFilters,
  stackView,
  withMatcher,
  writeState,
} from './state.js';
import { topTable } from './table.js';

const LIVE_MS = 10_000;
/** While the store is empty the page looks again this often. */
const EMPTY_MS = 2_000;

const state = readState();
const flame = flameView(byId('flame'), byId('details'));
const table = topTable(byId('top'), (name) => search(name));
const chart = timeChart(byId('chart'), byId('legend'), (from, to) => {
  Object.assign(state, { range: 'custom', from: String(from), to: String(to) });
  showState();
  void load();
});
let current = new AbortController();
let timer;

/** Asks for everything and draws it; a newer call takes the place of one under way. */
async function load() {
  current.abort();
  current = new AbortController();
  clearTimeout(timer);
  writeState(state);
  byId('result').classList.add('loading');
  try {
    const isEmpty = await draw(rangeOf(state), current.signal);
    if (isEmpty || byId('live').checked)
      timer = setTimeout(() => void load(), isEmpty ? EMPTY_MS : LIVE_MS);
  } catch (error) {
    if (error.name === 'AbortError') return;
    showMessage(error.message, true);
    if (byId('live').checked) timer = setTimeout(() => void load(), LIVE_MS);
  }
  byId('result').classList.remove('loading');
}

/** True when there is nothing to show. */
async function draw(range, signal) {
  const types = await api.profileTypes(range, signal);
  if (types.length === 0) {
    showMessage(
      'No profiles in this range yet.\nSend one with: basalt push FILE --label service_name=my-service',
      false,
    );
    return true;
  }
  chooseType(types);
  const { type, selector, span: spanId, trace: traceId } = state;
  const query = { type, selector, spanId, traceId, ...stackFilters(state), ...range };
  const total = { ...query, aggregation: state.aggregation };
  const merge = { ...total, ...stackView(state) };
  const [tree, top, series] = await Promise.all([
    api.mergeTree(merge, signal),
    api.mergeTop(merge, signal),
    api.timeSeries({ ...total, groupBy: state.group }, signal),
    loadLabels(range, signal),
  ]);
  if (tree.stats.profiles === 0) {
    showMessage('No profile of this type matches in this range.', false);
    return false;
  }
  showMessage('', false);
  chart.draw(series, range);
  table.draw(top);
  flame.draw(tree);
  if (byId('search').value !== '') flame.search(byId('search').value);
  showSummary(tree);
  await showSpans(query, signal).catch((error) => {
    // The flame graph is there all the same.
    if (error.name === 'AbortError') throw error;
    byId('spans-panel').hidden = true;
  });
  byId('download').href = api.pprofUrl(merge);
  return false;
}

function chooseType(types) {
  const ids = types.map((type) => type.id);
  if (!ids.includes(state.type)) {
    const cpu = ids.find((id) => /(^|:)cpu:nanoseconds/.test(id));
    state.type = cpu ?? ids[0];
    writeState(state);
  }
  const options = ids.map((id) => ({ value: id, text: id }));
  setOptions(byId('type'), options, state.type);
}

async function loadLabels(range, signal) {
  const names = await api.labelNames({ match: state.selector, ...range }, signal);
  const options = names.map((name) => ({ value: name, text: name }));
  setOptions(byId('label'), options, byId('label').value || 'service_name');
  setOptions(byId('group'), [{ value: '', text: 'nothing' }, ...options], state.group);
  await loadValues(range, signal);
}

async function loadValues(range, signal) {
  const name = byId('label').value;
  if (name === '') return;
  const values = await api.labelValues(name, range, signal);
  const options = values.map((value) => ({ value, text: value }));
  setOptions(byId('value'), options, byId('value').value);
}

function showMessage(text, isError) {
  const message = byId('message');
  message.textContent = text;
  message.hidden = text === '';
  message.classList.toggle('error', isError);
  for (const id of ['chart-panel', 'result']) byId(id).hidden = text !== '';
}

function showSummary(tree) {
  const { profiles, series, rows, sums, missing } = tree.stats;
  const total = formatValue(Number(tree.total), tree.unit);
  byId('summary').textContent =
    `${total} in ${profiles.toLocaleString()} profiles of ${series.toLocaleString()} series (${rows.toLocaleString()} rows read)`;
  const notes = missing.map((part) => `Missing: ${part.part} (${part.code}) ${part.message}`);
  if (sums !== '')
    notes.push(`Old profiles are kept as sums of up to ${sums}: each counts where it starts.`);
  if (tree.hidden.nodes > 0) {
    const value = formatValue(Number(tree.hidden.value), tree.unit);
    notes.push(`${tree.hidden.nodes.toLocaleString()} small frames (${value}) are not drawn.`);
  }
  byId('warning').textContent = notes.join(' ');
  byId('warning').hidden = notes.length === 0;
}

/** The spans behind what is shown, with links to their traces and log lines where the server knows them. */
async function showSpans(query, signal) {
  const { spans, hidden } = await api.spans({ ...query, limit: 20 }, signal);
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

function showState() {
  byId('only').textContent = [
    state.span === '' ? '' : `only span ${state.span}`,
    state.trace === '' ? '' : `only trace ${state.trace}`,
  ].join(' ');

  for (const id of [...STACK_FILTERS, 'granularity']) byId(id).value = state[id];
  for (const id of STACK_FLAGS) byId(id).checked = state[id] === 'true';
  const isStackAsked = { ...stackFilters(state), ...stackView(state) };
  if (Object.keys(isStackAsked).length > 0) byId('stacks').open = true;
  byId('selector').value = state.selector;
  byId('range').value = state.range;
  byId('aggregation').value = state.aggregation;
  byId('custom').hidden = state.range !== 'custom';
  if (state.range === 'custom') {
    byId('from').value = toLocalInput(Number(state.from));
    byId('to').value = toLocalInput(Number(state.to));
  }
}

function search(term) {
  byId('search').value = term;
  flame.search(term);
}

/** Reads a control into the state at each change and asks anew. */
function bind(id, key) {
  byId(id).addEventListener('change', (event) => {
    state[key] = event.target.value;
    void load();
  });
}

bind('type', 'type');
bind('aggregation', 'aggregation');
bind('group', 'group');
bind('selector', 'selector');
for (const id of [...STACK_FILTERS, 'granularity']) bind(id, id);
for (const id of STACK_FLAGS) {
  byId(id).addEventListener('change', (event) => {
    state[id] = event.target.checked ? 'true' : '';
    void load();
  });
}
byId('range').addEventListener('change', (event) => {
  if (event.target.value === 'custom') {
    const { start, end } = rangeOf(state);
    Object.assign(state, { from: String(start), to: String(end) });
  }
  state.range = event.target.value;
  showState();
  void load();
});
for (const id of ['from', 'to']) {
  byId(id).addEventListener('change', (event) => {
    state[id] = String(new Date(event.target.value).getTime());
    void load();
  });
}
byId('filters').addEventListener('submit', (event) => {
  event.preventDefault();
  // Enter in the selector's own field applies it as it is.
  if (event.submitter?.id === 'add' && document.activeElement !== byId('selector')) {
    const { value } = byId('value');
    if (value === '') return;
    state.selector = withMatcher(byId('selector').value, byId('label').value, value);
    showState();
  } else {
    state.selector = byId('selector').value;
  }
  void load();
});
byId('clear').addEventListener('click', () => {
  Object.assign(state, { selector: '', span: '', trace: '' });
  showState();
  void load();
});
byId('label').addEventListener('change', () => {
  loadValues(rangeOf(state), current.signal).catch((error) => showMessage(error.message, true));
});
byId('refresh').addEventListener('click', () => void load());
byId('live').addEventListener('change', () => void load());
byId('search').addEventListener('input', (event) => flame.search(event.target.value.trim()));
byId('reset').addEventListener('click', () => flame.resetZoom());
let resizeTimer;
addEventListener('resize', () => {
  clearTimeout(resizeTimer);
  resizeTimer = setTimeout(() => flame.redraw(), 200);
});

addEventListener('hashchange', () => {
  Object.assign(state, readState());
  showState();
  void load();
});

showState();
void load();
