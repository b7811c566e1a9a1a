/** What is asked for, kept in the address, so that a link shows the same. */

const RANGE_MS = {
  '5m': 300_000,
  '15m': 900_000,
  '1h': 3_600_000,
  '6h': 21_600_000,
  '24h': 86_400_000,
  '7d': 604_800_000,
};

/** Where the time that is compared with begins, before that of what is looked at; empty: as long before as it is long. */
const BASE_MS = { same: 0, '1h': 3_600_000, '1d': 86_400_000, '7d': 604_800_000 };

/** What of the page is shown; the flame graph if empty. */
export const VIEWS = ['', 'compare', 'heatmap', 'growth'];

const DEFAULTS = {
  view: '',
  type: '',
  selector: '',
  range: '15m',
  from: '',
  to: '',
  aggregation: '',
  group: '',
  span: '',
  trace: '',
  profile: '',
  baseTime: '',
  baseSelector: '',
  focus: '',
  ignore: '',
  hide: '',
  show: '',
  granularity: '',
  inverted: '',
  collapseRecursion: '',
};

/** Which stacks count, and how they show: parameters of a merge by the same names. The first four hold for all that is shown. */
export const STACK_FILTERS = ['focus', 'ignore', 'hide', 'show'];
export const STACK_FLAGS = ['inverted', 'collapseRecursion'];
const STACK_VIEW = ['granularity', ...STACK_FLAGS];

/** Of the state, what is not empty of some keys. */
function picked(state, keys) {
  return Object.fromEntries(keys.map((key) => [key, state[key]]).filter(([, v]) => v !== ''));
}

export const stackFilters = (state) => picked(state, STACK_FILTERS);
export const stackView = (state) => picked(state, STACK_VIEW);

export function readState() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const state = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) state[key] = hash.get(key) ?? DEFAULTS[key];
  if (state.range !== 'custom' && !Object.hasOwn(RANGE_MS, state.range))
    state.range = DEFAULTS.range;
  if (!VIEWS.includes(state.view)) state.view = DEFAULTS.view;
  return state;
}

export function writeState(state) {
  const hash = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    if (value !== DEFAULTS[key]) hash.set(key, value);
  }
  const text = hash.toString();
  history.replaceState(null, '', text === '' ? location.pathname : `#${text}`);
}

/** Start and end in unix milliseconds, the end exclusive. */
export function rangeOf(state) {
  if (state.range !== 'custom') {
    const end = Date.now();
    return { start: end - RANGE_MS[state.range], end };
  }
  const start = Number(state.from);
  const end = Number(state.to);
  if (!(start > 0 && end > start))
    throw new Error('The end of the range must lie after its start.');
  return { start, end };
}

/** What a range is compared with: parameters of a comparison. */
export function baseOf(state, { start, end }) {
  const shift = BASE_MS[state.baseTime] ?? end - start;
  const baseSelector = state.baseSelector === '' ? state.selector : state.baseSelector;
  return { baseSelector, baseStart: start - shift, baseEnd: end - shift };
}

/** Adds `name="value"` to a selector, in place of an equality on the same label. */
export function withMatcher(selector, name, value) {
  const matcher = `${name}=${JSON.stringify(value)}`;
  const inner = selector.trim().replace(/^\{/, '').replace(/\}$/, '');
  const old = new RegExp(
    `(^|,)\\s*${name.replace(/[^\w]/g, '\\$&')}\\s*=\\s*"(?:[^"\\\\]|\\\\.)*"`,
  );
  if (old.test(inner)) return `{${inner.replace(old, (_, comma) => `${comma}${matcher}`)}}`;
  return `{${inner.trim() === '' ? matcher : `${inner.replace(/,\s*$/, '')},${matcher}`}}`;
}
