import * as api from './api.js';
import { timeChart } from './chart.js';
import { byId, setOptions } from './dom.js';
import { toLocalInput } from './format.js';
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
import { createViews } from './views.js';

const LIVE_MS = 10_000;
/** While the store is empty the page looks again this often. */
const EMPTY_MS = 2_000;

const state = readState();
const chart = timeChart(byId('chart'), byId('legend'), (from, to) => {
  Object.assign(state, { range: 'custom', from: String(from), to: String(to) });
  showState();
  void load();
});
const views = createViews(state, {
  chart,
  onPick(name) {
    byId('search').value = name;
    views.graph()?.search(name);
  },
  onProfile({ profileId }) {
    const { start, end } = rangeOf(state);
    const custom = { range: 'custom', from: String(start), to: String(end) };
    Object.assign(state, { ...custom, view: '', profile: profileId });
    showState();
    void load();
  },
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
  const { type, selector, span: spanId, trace: traceId, profile: profileId } = state;
  const query = { type, selector, spanId, traceId, profileId, ...stackFilters(state), ...range };
  const totals = { ...query, aggregation: state.aggregation, groupBy: state.group };
  const [series, drawView] = await Promise.all([
    views.hasOwnChart() ? undefined : api.timeSeries(totals, signal),
    views.load({ query, range }, signal),
    loadLabels(range, signal),
  ]);
  if (series?.stats.profiles === 0) {
    showMessage('No profile of this type matches in this range.', false);
    return false;
  }
  showMessage('', false);
  views.show();
  if (series !== undefined) chart.draw(series, range);
  drawView();
  if (byId('search').value !== '') views.graph()?.search(byId('search').value);
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

function showState() {
  byId('only').textContent = [
    state.span === '' ? '' : `only span ${state.span}`,
    state.trace === '' ? '' : `only trace ${state.trace}`,
    state.profile === '' ? '' : `only profile ${state.profile}`,
  ].join(' ');

  for (const id of [...STACK_FILTERS, 'granularity']) byId(id).value = state[id];
  for (const id of STACK_FLAGS) byId(id).checked = state[id] === 'true';
  const isStackAsked = { ...stackFilters(state), ...stackView(state) };
  if (Object.keys(isStackAsked).length > 0) byId('stacks').open = true;
  byId('selector').value = state.selector;
  byId('baseSelector').value = state.baseSelector;
  byId('baseTime').value = state.baseTime;
  views.show();
  byId('range').value = state.range;
  byId('aggregation').value = state.aggregation;
  byId('custom').hidden = state.range !== 'custom';
  if (state.range === 'custom') {
    byId('from').value = toLocalInput(Number(state.from));
    byId('to').value = toLocalInput(Number(state.to));
  }
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
bind('baseTime', 'baseTime');
bind('baseSelector', 'baseSelector');
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
  Object.assign(state, { selector: '', span: '', trace: '', profile: '' });
  showState();
  void load();
});
byId('label').addEventListener('change', () => {
  loadValues(rangeOf(state), current.signal).catch((error) => showMessage(error.message, true));
});
byId('views').addEventListener('click', (event) => {
  if (event.target.value === undefined) return;
  state.view = event.target.value;
  views.show();
  void load();
});
byId('refresh').addEventListener('click', () => void load());
byId('live').addEventListener('change', () => void load());
byId('search').addEventListener('input', (event) =>
  views.graph()?.search(event.target.value.trim()),
);
byId('reset').addEventListener('click', () => views.graph()?.resetZoom());
let resizeTimer;
addEventListener('resize', () => {
  clearTimeout(resizeTimer);
  resizeTimer = setTimeout(() => views.graph()?.redraw(), 200);
});

addEventListener('hashchange', () => {
  Object.assign(state, readState());
  showState();
  void load();
});

showState();
void load();
