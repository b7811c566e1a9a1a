import type { IntegerOption, ListOption, StringOption } from './option.js';

/** Options that several commands share, so that they mean the same everywhere. */

/** Options of every command; `main` handles them. */
export const COMMON_OPTIONS = {
  config: {
    type: 'string',
    placeholder: 'FILE',
    help: 'YAML file with option names as keys',
  },
  'print-config': {
    type: 'boolean',
    default: false,
    help: 'print what is in force and where it comes from, then exit',
  },
  help: { type: 'boolean', default: false, help: 'print this help' },
} as const;

export const serverOption = {
  type: 'string',
  placeholder: 'URL',
  help: 'HTTP address of a running server; without --server and --data http://127.0.0.1:4040',
} as const satisfies StringOption;

export const dataOption = {
  type: 'string',
  placeholder: 'DIR',
  help: 'data directory of the store',
} as const satisfies StringOption;

export const tenantOption = {
  type: 'string',
  default: '',
  help: 'tenant to read or write; empty means anonymous',
} as const satisfies StringOption;

export const labelOption = {
  type: 'list',
  placeholder: 'NAME=VALUE',
  help: 'label of every profile; service_name is expected',
} as const satisfies ListOption;

export const temporalityOption = {
  type: 'string',
  choices: ['delta', 'cumulative', 'gauge'],
  help: 'how values relate over time; default by the table of known types',
} as const satisfies StringOption;

export const parallelOption = {
  type: 'integer',
  default: 8,
  min: 1,
  max: 64,
  help: 'files in flight at once',
} as const satisfies IntegerOption;

export const queryBudgetOption = {
  type: 'list',
  placeholder: 'RULE',
  help: "what one query may spend: deadline:10s/rows:50000000, team-a=nodes:100000/points:5000; a tenant's own value comes first; repeatable",
} as const satisfies ListOption;

export const retentionOption = {
  type: 'list',
  placeholder: 'RULE',
  help: 'how long profiles are kept: 30d, team-a=7d, {env="dev"}=12h, 7d/1h:1y (then sums of 1h until 1y); the first that fits a series decides; repeatable',
} as const satisfies ListOption;
