import { resolve } from 'node:path';
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Aggregation } from '../query/api.js';
import { isRendered, MERGE_FORMAT_NAMES } from '../query/formats.js';
import {
  BUCKETS_DEFAULT,
  ITEM_KINDS,
  MERGE_OPTIONS,
  TIME_SERIES_MEASURES,
} from '../query/option-tables.js';
import { command, EXIT_OK, type CommandIo } from './command.js';
import { dataOption, serverOption, tenantOption } from './common-options.js';
import { didYouMean } from './did-you-mean.js';
import { derivedOptions } from './query-options.js';
import { LISTING_KINDS, querySource, type Question, type QuerySource } from './query-source.js';
import { checkTaken, filtersOf } from './query-takers.js';
import { remarksOf } from './remarks.js';
import { answerText, QUERY_WHATS, type QueryWhat } from './query-text.js';
import { BUCKET_OPTIONS } from './store-location.js';
import { chooseTarget } from './target.js';

const OPTIONS = {
  type: {
    type: 'string',
    placeholder: 'TYPE',
    help: 'profile type, as `basalt query types` lists them',
  },
  selector: { type: 'string', default: '', help: 'Prometheus selector; empty selects all' },
  from: { type: 'string', default: 'now-1h', help: 'start: unix ms, RFC 3339 or now-1h' },
  to: { type: 'string', default: 'now', help: 'end, exclusive' },
  format: {
    type: 'string',
    default: 'tree',
    choices: MERGE_FORMAT_NAMES,
    help: 'of merge',
  },
  aggregation: {
    type: 'string',
    choices: ['sum', 'avg', 'last', 'max'],
    help: 'default by temporality',
  },
  step: { type: 'string', help: 'of timeseries and heatmap, like 15s; default by the range' },
  'group-by': { type: 'list', placeholder: 'LABEL', help: 'of timeseries and heatmap' },
  measure: {
    type: 'string',
    choices: TIME_SERIES_MEASURES,
    help: 'of timeseries: what a point is; default value',
  },
  limit: {
    type: 'integer',
    min: 1,
    max: LIMITS.queryItemsMax,
    help: 'of timeseries, profiles, spans and diff: only those with the greatest values',
  },
  of: {
    type: 'string',
    choices: ITEM_KINDS,
    default: 'profile',
    help: 'of heatmap: what is counted',
  },
  'base-selector': {
    type: 'string',
    placeholder: 'SELECTOR',
    help: 'of diff: what to compare with; default --selector',
  },
  'base-from': { type: 'string', help: 'of diff; default: as long, just before --from' },
  'base-to': { type: 'string', help: 'of diff' },
  'other-selector': {
    type: 'list',
    placeholder: 'SELECTOR',
    help: 'of diff: further selections of the same range to compare the base with',
  },
  rate: {
    type: 'string',
    placeholder: 'SHARE',
    help: 'of diff and regressions: of what is called significant, how much may be chance; default 0.05, of regressions 0.01',
  },
  change: {
    type: 'string',
    placeholder: 'SHARE',
    help: 'of regressions: by how much of the total a function must have grown; default 0.01',
  },
  exemplars: {
    type: 'boolean',
    default: false,
    help: 'of heatmap, with --json: an example for each slot',
  },
  buckets: {
    type: 'integer',
    min: 1,
    max: LIMITS.heatmapBucketsMax,
    default: BUCKETS_DEFAULT,
    help: 'of heatmap',
  },
  name: { type: 'string', placeholder: 'LABEL', help: 'of labels: list the values of this label' },
  explain: {
    type: 'boolean',
    default: false,
    help: 'of merge, top and timeseries: what the query reads, and how long that takes',
  },
  rows: {
    type: 'integer',
    default: 30,
    min: 1,
    max: 1_000_000,
    help: 'of top: functions to print',
  },
  json: { type: 'boolean', default: false, help: 'print the JSON of the HTTP API' },
  output: { type: 'string', placeholder: 'FILE', help: 'write the answer there' },
  server: serverOption,
  data: dataOption,
  ...BUCKET_OPTIONS,
  tenant: tenantOption,
} as const;

/** The filters and views of queries; `values` has them by these names. */
const ALL_OPTIONS = { ...OPTIONS, ...derivedOptions(MERGE_OPTIONS) } as typeof OPTIONS;

export const queryCommand = command({
  name: 'query',
  summary: 'ask a server or a data directory',
  positionals: QUERY_WHATS.join('|'),
  options: ALL_OPTIONS,
  examples: [
    'basalt query types',
    'basalt query top --type process_cpu:cpu:nanoseconds:cpu:nanoseconds --selector \'{service_name="api"}\'',
    'basalt query merge --type process_cpu:cpu:nanoseconds:cpu:nanoseconds --format pprof -o merged.pb.gz',
    "basalt query merge --type ... --format folded --focus 'net/http' --hide '^runtime\\.'",
    'basalt query merge --type ... --format sandwich --function main.handle --levels 3',
  ],
  async run({ io, values, origins, positionals }) {
    const what = whatOf(positionals);
    checkTaken(what, origins);
    const format = what === 'top' ? 'top' : (values.format as Question['format']);
    const question: Question = {
      kind: kindOf(what, values.name),
      selector: values.selector,
      from: values.from,
      to: values.to,
      label: values.name ?? '',
      profileType: values.type ?? '',
      aggregation: values.aggregation as Aggregation | undefined,
      format,
      options: filtersOf(what, values),
      step: values.step,
      groupBy: values['group-by'],
      measure: values.measure as Question['measure'],
      limit: values.limit,
      of: values.of as Question['of'],
      buckets: values.buckets,
      own: ownOf(values),
      explain: values.explain,
    };
    const target = chooseTarget({ values, origins });
    const source = await querySource(io, { ...values, ...target });
    try {
      if (question.profileType === '' && needsType(question.kind)) {
        throw await missingType(source, question);
      }
      const answer = await source.ask(question);
      const hasStats = question.kind !== 'merge' || question.explain || !isRendered(format);
      for (const line of remarksOf(answer, hasStats)) io.err(`basalt: ${line}\n`);
      const kind = question.explain ? 'explain' : what;
      const asText = !values.json && kind !== 'merge';
      const { body } = answer;
      await write(io, asText ? answerText(kind, body, values.rows) : body, values.output);
    } finally {
      await source.close();
    }
    return EXIT_OK;
  },
});

/** What died of its memory says so by itself. */
function needsType(kind: Question['kind']): boolean {
  return kind !== 'oom' && !LISTING_KINDS.includes(kind);
}

/** Options that are parameters of the HTTP API as they are, by their names there. */
const OWN_PARAMETERS: Readonly<Record<string, string>> = {
  'base-selector': 'baseSelector',
  'base-from': 'baseStart',
  'base-to': 'baseEnd',
  'other-selector': 'otherSelector',
  rate: 'rate',
  change: 'change',
  exemplars: 'exemplars',
};

function ownOf(values: object): [string, string][] {
  const byName = values as Readonly<Record<string, string | boolean | readonly string[]>>;
  return Object.entries(OWN_PARAMETERS).flatMap(([name, parameter]) =>
    [byName[name]]
      .flat()
      .filter((one) => one !== undefined && one !== false)
      .map((one): [string, string] => [parameter, String(one)]),
  );
}

function whatOf(positionals: readonly string[]): QueryWhat {
  const [what, ...more] = positionals;
  const known = QUERY_WHATS.find((name) => name === what);
  if (known !== undefined && more.length === 0) return known;
  const got = what === undefined ? 'nothing' : JSON.stringify(positionals.join(' '));
  const hint = what === undefined ? '' : didYouMean(what, QUERY_WHATS);
  throw invalid(
    'PS_CLI_ARGUMENTS',
    `cannot query: got ${got}; want one of ${QUERY_WHATS.join(', ')}${hint}`,
  );
}

function kindOf(what: QueryWhat, label: string | undefined): Question['kind'] {
  if (what === 'top') return 'merge';
  if (what === 'labels' && label !== undefined) return 'values';
  return what;
}

/** Says which types there are: a person rarely knows one by heart. */
async function missingType(source: QuerySource, question: Question): Promise<Error> {
  const { body } = await source.ask({ ...question, kind: 'types' });
  const { profileTypes } = JSON.parse(new TextDecoder().decode(body)) as {
    profileTypes: readonly { id: string }[];
  };
  const ids = profileTypes.map((type) => type.id);
  const want = ids.length === 0 ? 'one (there is none in this range)' : `one of ${ids.join(', ')}`;
  return invalid('PS_CLI_OPTION', `cannot query: got no --type; want ${want}`);
}

async function write(
  io: CommandIo,
  answer: string | Uint8Array,
  output: string | undefined,
): Promise<void> {
  if (output === undefined || output === '-') {
    const isText = typeof answer !== 'string' && answer[0] === 0x7b;
    await io.out(answer);
    if (isText) await io.out('\n');
    return;
  }
  const bytes = typeof answer === 'string' ? new TextEncoder().encode(answer) : answer;
  await io.files.writeReplace(resolve(io.workingDirectory, output), bytes);
}
