/**
 * What a query may ask besides its selection, as tables: the parameters of HTTP, the options of the command line and
 * the reading of protobuf's fields are derived from them (docs/filters.md).
 */
import type { FormatOptions } from './formats.js';
import type { SampleFilter } from './key-filter.js';
import { GRANULARITIES, type StackFilter, type StackView } from './stacks/options.js';

export interface QueryOption {
  readonly kind: 'text' | 'list' | 'flag' | 'count';
  /** Of HTTP; absent: the option's own name. pprof's options keep the names that they have there. */
  readonly parameter?: string;
  readonly choices?: readonly string[];
  /** One line. */
  readonly help: string;
}

/** By the name of the library's field. */
export type OptionTable = Readonly<Record<string, QueryOption>>;
export type OptionValues = StackFilter & StackView & SampleOptions & FormatOptions;

interface SampleOptions extends SampleFilter {
  readonly profileIds?: readonly string[];
}

const FILTER_OPTIONS = {
  focus: { kind: 'text', help: 'regular expression: only stacks with such a function or file' },
  ignore: { kind: 'text', help: 'regular expression: no stacks with such a function or file' },
  hide: { kind: 'text', help: 'regular expression: frames to leave out' },
  show: { kind: 'text', help: 'regular expression: the only frames to keep' },
  showFrom: {
    kind: 'text',
    parameter: 'show_from',
    help: 'regular expression: drop what is above such a frame',
  },
  pruneFrom: {
    kind: 'text',
    parameter: 'prune_from',
    help: 'regular expression: drop what is below such a function',
  },
  stack: { kind: 'list', help: 'pattern of stacks that count: leaf:function="main.run"' },
  hideFrame: { kind: 'list', help: 'pattern of frames to leave out: mapping*="libc"' },
} as const satisfies Readonly<Record<keyof StackFilter, QueryOption>>;

const SAMPLE_OPTIONS = {
  profileIds: { kind: 'list', parameter: 'profileId', help: 'only profiles with this id' },
  spanIds: { kind: 'list', parameter: 'spanId', help: 'only samples of this span' },
  traceIds: { kind: 'list', parameter: 'traceId', help: 'only samples of this trace' },
  callSite: { kind: 'list', help: 'function names from the root on; repeat it' },
} as const satisfies Readonly<Record<keyof SampleOptions, QueryOption>>;

const VIEW_OPTIONS = {
  granularity: { kind: 'text', choices: GRANULARITIES, help: 'what a node stands for' },
  rootLabel: { kind: 'list', help: 'label whose values become the first frames' },
  inverted: { kind: 'flag', help: 'leaves first' },
  collapseRecursion: { kind: 'flag', help: 'a function that calls itself is one frame' },
} as const satisfies Readonly<Record<keyof StackView, QueryOption>>;

const FORMAT_OPTIONS = {
  maxNodes: { kind: 'count', help: 'nodes of a tree or graph; what is cut is reported' },
  function: { kind: 'text', help: 'of sandwich: exact name' },
  levels: { kind: 'count', help: 'of sandwich: how far from the function' },
  keepLocations: { kind: 'count', help: 'of pgo: locations kept of each stack' },
} as const satisfies Readonly<Record<keyof FormatOptions, QueryOption>>;

/** Of everything that reads samples. */
export const SELECTION_OPTIONS: OptionTable = { ...FILTER_OPTIONS, ...SAMPLE_OPTIONS };
export const MERGE_OPTIONS: OptionTable = {
  ...SELECTION_OPTIONS,
  ...VIEW_OPTIONS,
  ...FORMAT_OPTIONS,
};

/** Filters of stacks that leave out frames of those that count. */
export const STACK_CHANGES = ['hide', 'show', 'showFrom', 'pruneFrom', 'hideFrame'] as const;
/** Of what looks at single profiles. */
export const WHOLE_STACK_OPTIONS: OptionTable = Object.fromEntries(
  Object.entries(SELECTION_OPTIONS).filter(
    ([name]) => !STACK_CHANGES.some((change) => change === name),
  ),
);

export const TIME_SERIES_MEASURES = ['value', 'samples', 'profiles'] as const;
export const ITEM_KINDS = ['profile', 'span'] as const;
/** Items of a list, and buckets of a heatmap, where the caller does not say. */
export const ITEMS_DEFAULT = 100;
export const BUCKETS_DEFAULT = 20;

export type OptionValue = string | number | boolean | readonly string[] | undefined;

/** The options that `read` has a value for; empty ones ask nothing. */
export function readOptions(
  table: OptionTable,
  read: (name: string, option: QueryOption) => OptionValue,
): OptionValues {
  const out: Record<string, OptionValue> = {};
  for (const [name, option] of Object.entries(table)) {
    const value = read(name, option);
    const isEmpty = value === undefined || value === '' || value === false || value === 0;
    if (!isEmpty && !(Array.isArray(value) && value.length === 0)) out[name] = value;
  }
  return out as OptionValues;
}
