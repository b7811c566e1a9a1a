import { join, resolve } from 'node:path';
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { FileSystem } from '../env/files.js';
import { PROFILE_NAME, type Label } from '../model/labels.js';
import type { Temporality } from '../model/series.js';
import { command, type CommandContext, EXIT_FAILED, EXIT_OK, type CommandIo } from './command.js';
import {
  dataOption,
  labelOption,
  parallelOption,
  serverOption,
  temporalityOption,
  tenantOption,
} from './common-options.js';
import { importPyroscope } from './import-pyroscope.js';
import { openSink, parseLabel, type ProfileSink } from './profile-sink.js';
import { startProgress, type Progress } from './progress.js';
import { readProfile } from './read-profile.js';
import { BUCKET_OPTIONS } from './store-location.js';
import { chooseTarget } from './target.js';

/** Files that failed are named up to this many times; the rest is only counted. */
const FAILURES_SHOWN = 20;

const PYROSCOPE_OPTIONS = {
  'from-pyroscope': {
    type: 'string',
    placeholder: 'URL',
    help: 'copy what this Pyroscope has, through its query API',
  },
  from: {
    type: 'string',
    default: 'now-24h',
    help: 'start of the copy: unix ms, RFC 3339, now-1h',
  },
  to: { type: 'string', default: 'now-5m', help: 'its end, exclusive; cut to whole slices' },
  slice: {
    type: 'string',
    default: '15s',
    help: 'one profile of the copy covers this time; gauges want the interval of the agents',
  },
  selector: { type: 'string', default: '{}', help: 'what to copy' },
  state: {
    type: 'string',
    default: 'basalt-import.json',
    placeholder: 'FILE',
    help: 'how far the copy has come; the next run goes on there',
  },
  'source-tenant': { type: 'string', default: '', help: 'tenant to copy from' },
  'source-header': {
    type: 'list',
    placeholder: 'NAME: VALUE',
    help: 'header of each call, for example an authorization',
  },
} as const;

const OPTIONS = {
  label: labelOption,
  'path-labels': {
    type: 'string',
    default: '',
    placeholder: 'A/B/…',
    help: 'label names for the folders on the way to a file',
  },
  data: dataOption,
  ...BUCKET_OPTIONS,
  server: serverOption,
  tenant: tenantOption,
  temporality: temporalityOption,
  parallel: parallelOption,
  ...PYROSCOPE_OPTIONS,
} as const;

export const importCommand = command({
  name: 'import',
  summary: 'send all profile files under a directory, or copy what a Pyroscope has',
  positionals: '[DIR]',
  options: OPTIONS,
  examples: [
    "basalt import profiles/ --path-labels 'service_name/version/__name__' --data ./data",
    'basalt import --from-pyroscope http://pyroscope:4040 --from now-7d --server http://127.0.0.1:4040',
  ],
  async run({ io, values, origins, positionals }) {
    const url = values['from-pyroscope'];
    if (url !== undefined) return copyPyroscope({ io, values, origins, positionals }, url);
    const [dir, ...more] = positionals;
    if (dir === undefined || more.length > 0) {
      throw invalid(
        'PS_CLI_ARGUMENTS',
        `cannot import: got ${positionals.length} directories; want 1`,
      );
    }
    const labels = values.label.map(parseLabel);
    const names = values['path-labels'].split('/').filter((name) => name !== '');
    const root = resolve(io.workingDirectory, dir);
    const files = await listFiles(io.files, root);
    const sink = await openSink(io, { ...values, ...chooseTarget({ values, origins }) });
    const temporality = values.temporality as Temporality | undefined;
    try {
      const run: ImportRun = { io, sink, root, labels, names, temporality, failures: [] };
      return await importFiles(run, files, values.parallel);
    } finally {
      await sink.close();
    }
  },
});

type ImportContext = Pick<
  CommandContext<typeof OPTIONS>,
  'io' | 'values' | 'origins' | 'positionals'
>;

async function copyPyroscope(context: ImportContext, url: string): Promise<number> {
  const { io, values, origins, positionals } = context;
  if (positionals.length > 0) {
    throw invalid(
      'PS_CLI_ARGUMENTS',
      'cannot import: got a directory and --from-pyroscope; want one of them',
    );
  }
  const chosen = chooseTarget({ values, origins });
  const { server, data } = chosen;
  const dir = data === undefined ? undefined : resolve(io.workingDirectory, data);
  const sink = await openSink(io, { ...values, ...chosen });
  try {
    return await importPyroscope({
      io,
      sink,
      target: JSON.stringify({ server, dir, bucket: values.bucket, tenant: values.tenant }),
      url,
      sourceTenant: values['source-tenant'],
      sourceHeaders: values['source-header'],
      selector: values.selector,
      from: values.from,
      to: values.to,
      slice: values.slice,
      statePath: values.state,
      parallel: values.parallel,
    });
  } finally {
    await sink.close();
  }
}

interface ImportRun {
  readonly io: CommandIo;
  readonly sink: ProfileSink;
  readonly root: string;
  readonly labels: readonly Label[];
  /** Label names for path elements. */
  readonly names: readonly string[];
  readonly temporality: Temporality | undefined;
  readonly failures: string[];
}

/** Paths below `root`, in the order of their names. Throws `limit` for absurdly many. */
async function listFiles(files: FileSystem, root: string): Promise<string[]> {
  const out: string[] = [];
  const folders = [''];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const entry of await files.list(join(root, next))) {
      if (entry.name.startsWith('.')) continue;
      const path = next === '' ? entry.name : `${next}/${entry.name}`;
      (entry.isDirectory ? folders : out).push(path);
      if (out.length + folders.length > LIMITS.importFilesMax) {
        throw invalid(
          'PS_CLI_IMPORT',
          `cannot import ${root}: got more than ${LIMITS.importFilesMax} files; want at most that many`,
        );
      }
    }
  }
  return out.sort();
}

async function importFiles(
  run: ImportRun,
  paths: readonly string[],
  parallel: number,
): Promise<number> {
  const progress = startProgress(run.io);
  const totals = { files: 0, profiles: 0, samples: 0, failed: 0 };
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < paths.length) {
      run.io.signal.throwIfAborted();
      const path = paths[next++] as string;
      await importFile(run, path, totals);
      progress.update(totals.files + totals.failed, paths.length, path);
    }
  };
  await finishAll(Array.from({ length: parallel }, work), progress);
  for (const failure of run.failures) run.io.err(`${failure}\n`);
  const { files, profiles, samples, failed } = totals;
  await run.io.out(
    `${files} files, ${profiles} profiles, ${samples} samples; ${failed} files failed\n`,
  );
  return failed > 0 ? EXIT_FAILED : EXIT_OK;
}

async function finishAll(work: readonly Promise<void>[], progress: Progress): Promise<void> {
  try {
    // All of them end before the sink is closed, also when one was cancelled.
    const results = await Promise.allSettled(work);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  } finally {
    progress.end();
  }
}

async function importFile(
  run: ImportRun,
  path: string,
  totals: { files: number; profiles: number; samples: number; failed: number },
): Promise<void> {
  try {
    const { io, sink, root, temporality } = run;
    const nowMs = io.clock.nowMs();
    const body = await readProfile(io.files, join(root, path), nowMs);
    const labels = [...run.labels, ...pathLabels(run.names, path)];
    const result = await sink.write({ labels, body, temporality });
    totals.files += 1;
    totals.profiles += result.profiles;
    totals.samples += result.samples;
  } catch (error) {
    run.io.signal.throwIfAborted();
    totals.failed += 1;
    if (run.failures.length < FAILURES_SHOWN) {
      run.failures.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/**
 * The folders of `path` as labels. The last name belongs to the last folder, whatever lies between; `__name__` there
 * names the profile. Throws `invalid` PS_CLI_IMPORT when the path has fewer folders than names.
 */
export function pathLabels(names: readonly string[], path: string): Label[] {
  if (names.length === 0) return [];
  const folders = path.split('/').slice(0, -1);
  if (folders.length < names.length) {
    throw invalid(
      'PS_CLI_IMPORT',
      `cannot take labels from ${path}: got ${folders.length} folders; want at least ${names.length}`,
    );
  }
  return names.map((name, i) => {
    const isLast = i === names.length - 1;
    const folder = isLast && name === PROFILE_NAME ? folders.at(-1) : folders[i];
    return { name, value: folder ?? '' };
  });
}
