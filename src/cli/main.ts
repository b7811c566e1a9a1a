import { resolve } from 'node:path';
import { invalid, StoreError } from '../base/errors.js';
import {
  command,
  EXIT_FAILED,
  EXIT_OK,
  EXIT_USAGE,
  type Command,
  type CommandIo,
} from './command.js';
import { COMMON_OPTIONS } from './common-options.js';
import { compactCommand } from './compact.js';
import { readConfig } from './config-file.js';
import { deleteCommand } from './delete.js';
import { didYouMean } from './did-you-mean.js';
import { gcCommand } from './gc.js';
import { commandHelp, programHelp } from './help.js';
import { importCommand } from './import.js';
import { inspectCommand } from './inspect.js';
import { variableName } from './option.js';
import { parseOptions, type OptionSources, type ParsedOptions } from './parse-options.js';
import { pushCommand } from './push.js';
import { queryCommand } from './query.js';
import { serveCommand } from './serve.js';
import { verifyCommand } from './verify.js';
import { VERSION } from './version.js';

const HELP_COMMAND = command({
  name: 'help',
  summary: 'print this help, or that of a command',
  positionals: '[COMMAND]',
  options: {},
  async run({ io, positionals }) {
    const name = positionals[0];
    await io.out(
      name === undefined ? programHelp(COMMANDS) : commandHelp(findCommand(name), COMMON_OPTIONS),
    );
    return EXIT_OK;
  },
});

export const COMMANDS: readonly Command[] = [
  serveCommand,
  pushCommand,
  importCommand,
  queryCommand,
  compactCommand,
  deleteCommand,
  gcCommand,
  inspectCommand,
  verifyCommand,
  HELP_COMMAND,
];

/** Runs one command line; resolves to the exit code and never rejects. */
export async function main(args: readonly string[], io: CommandIo): Promise<number> {
  try {
    return await run(args, io);
  } catch (error) {
    const e = StoreError.from(error);
    if (e.kind === 'cancelled') return EXIT_FAILED;
    io.err(`basalt: ${e.message}\n`);
    if (e.kind === 'internal' && e.stack !== undefined) io.err(`${causeOf(e).stack ?? ''}\n`);
    return e.kind === 'invalid' && e.code.startsWith('PS_CLI_') ? EXIT_USAGE : EXIT_FAILED;
  }
}

function causeOf(error: StoreError): Error {
  return error.cause instanceof Error ? error.cause : error;
}

async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h') {
    await io.out(programHelp(COMMANDS));
    return name === undefined ? EXIT_USAGE : EXIT_OK;
  }
  if (name === '--version' || name === '-v') {
    await io.out(`${VERSION}\n`);
    return EXIT_OK;
  }
  const found = findCommand(name);
  const parsed = await parseFor(found, rest, io);
  if (parsed.values['help'] === true) {
    await io.out(commandHelp(found, COMMON_OPTIONS));
    return EXIT_OK;
  }
  if (parsed.values['print-config'] === true) {
    await io.out(await configText(found, parsed));
    return EXIT_OK;
  }
  const { values, origins, positionals } = parsed;
  return await found.run({ io, values, origins, positionals });
}

function findCommand(name: string): Command {
  const found = COMMANDS.find((c) => c.name === name);
  if (found !== undefined) return found;
  const names = COMMANDS.map((c) => c.name);
  throw invalid(
    'PS_CLI_COMMAND',
    `cannot run ${JSON.stringify(name)}: got an unknown command; want one of ${names.join(', ')}${didYouMean(name, names)}`,
  );
}

type AnyOptions = ParsedOptions<Command['options']>;

/** Parses twice when there is a configuration file: the first time says where it is. */
async function parseFor(
  found: Command,
  args: readonly string[],
  io: CommandIo,
): Promise<AnyOptions> {
  const table = { ...found.options, ...COMMON_OPTIONS };
  const sources: OptionSources = { args, environment: io.environment, config: {} };
  const parsed = parseOptions<Command['options']>(table, sources);
  warnOfVariables(io);
  const path = parsed.values['config'];
  if (typeof path !== 'string') return parsed;
  const config = await readConfig(io.files, resolve(io.workingDirectory, path), configKeys());
  return parseOptions<Command['options']>(table, { ...sources, config });
}

/** All options of all commands: one file and one environment serve them all. */
function optionNames(): Set<string> {
  const names = COMMANDS.flatMap((c) => Object.keys(c.options));
  return new Set([...names, ...Object.keys(COMMON_OPTIONS)]);
}

function configKeys(): Set<string> {
  const names = optionNames();
  for (const name of Object.keys(COMMON_OPTIONS)) names.delete(name);
  return names;
}

/**
 * An unknown variable is no error: an orchestrator sets some of its own (`BASALT_SERVICE_HOST` for a service named
 * basalt). One that looks like a slip of the keyboard is worth a word.
 */
function warnOfVariables(io: CommandIo): void {
  const known = [...optionNames()].map(variableName);
  for (const name of Object.keys(io.environment)) {
    if (!name.startsWith('BASALT_') || known.includes(name)) continue;
    const hint = didYouMean(name, known);
    if (hint !== '') io.err(`basalt: ignoring the variable ${name}${hint}\n`);
  }
}

async function configText(found: Command, parsed: AnyOptions): Promise<string> {
  const { stringify } = await import('yaml');
  const lines = Object.keys(found.options).map((name) => {
    const value = parsed.values[name];
    const origin = parsed.origins.get(name) ?? 'default';
    if (value === undefined) return `# ${name}: not set`;
    return `${name}: ${stringify(value, { collectionStyle: 'flow' }).trimEnd()} # ${origin}`;
  });
  return `${lines.join('\n')}\n`;
}
