import { assert } from '../base/assert.js';
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { didYouMean } from './did-you-mean.js';
import type { OptionTable, OptionValue, ValueOrigin, Values } from './option.js';
import { variableName } from './option.js';
import { configValue, parseValue } from './option-value.js';

/**
 * What is in force: a flag wins over a variable, a variable over the configuration file, the file over the default.
 * Lists are replaced as a whole, never joined.
 */
export interface ParsedOptions<T extends OptionTable> {
  readonly values: Values<T>;
  readonly origins: ReadonlyMap<string, ValueOrigin>;
  /** What was neither an option nor its value, in order. */
  readonly positionals: readonly string[];
}

export interface OptionSources {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Keys of the configuration file, already known to be options of some command. */
  readonly config: Readonly<Record<string, unknown>>;
}

interface Flags {
  readonly given: Map<string, OptionValue>;
  readonly positionals: string[];
}

export const SHORT_FLAGS: Readonly<Record<string, string>> = { o: 'output', h: 'help' };

export function parseOptions<T extends OptionTable>(
  table: T,
  sources: OptionSources,
): ParsedOptions<T> {
  const flags = parseFlags(table, sources.args);
  const values: Record<string, OptionValue> = {};
  const origins = new Map<string, ValueOrigin>();
  for (const [name, option] of Object.entries(table)) {
    const fallback = option.type === 'list' ? [] : option.default;
    const variable = sources.environment[variableName(name)];
    if (flags.given.has(name)) {
      values[name] = flags.given.get(name);
      origins.set(name, 'flag');
    } else if (variable !== undefined && variable !== '') {
      values[name] =
        option.type === 'list'
          ? variable.split(',', LIMITS.optionListMax)
          : parseValue(variableName(name), option, variable);
      origins.set(name, 'environment');
    } else if (Object.hasOwn(sources.config, name)) {
      values[name] = configValue(`${name} of the configuration`, option, sources.config[name]);
      origins.set(name, 'config');
    } else {
      values[name] = fallback;
      origins.set(name, 'default');
    }
  }
  return { values: values as Values<T>, origins, positionals: flags.positionals };
}

/** `--name value`, `--name=value`, `--flag`, `--no-flag`, `-o value`; `--` ends the options. */
function parseFlags(table: OptionTable, args: readonly string[]): Flags {
  const out: Flags = { given: new Map(), positionals: [] };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--') {
      out.positionals.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      out.positionals.push(arg);
      continue;
    }
    i += takeFlag(table, arg, args[i + 1], out.given);
  }
  return out;
}

/** Returns how many of the following arguments it took. */
function takeFlag(
  table: OptionTable,
  arg: string,
  next: string | undefined,
  given: Map<string, OptionValue>,
): 0 | 1 {
  const equals = arg.indexOf('=');
  const written = equals < 0 ? arg : arg.slice(0, equals);
  const inline = equals < 0 ? undefined : arg.slice(equals + 1);
  const name = flagName(table, written);
  const option = table[name];
  assert(option !== undefined, `option ${name}`);
  if (option.type === 'boolean') {
    const negated = written === `--no-${name}`;
    if (negated && inline !== undefined) {
      throw invalid('PS_CLI_VALUE', `cannot accept ${written}: got a value; want none`);
    }
    given.set(name, negated ? false : parseValue(written, option, inline ?? 'true'));
    return 0;
  }
  const text = inline ?? next;
  if (text === undefined) {
    throw invalid('PS_CLI_VALUE', `cannot accept ${written}: got no value; want one`);
  }
  const value = parseValue(written, option, text);
  if (option.type === 'list') {
    const before = (given.get(name) ?? []) as readonly string[];
    if (before.length >= LIMITS.optionListMax) {
      throw invalid(
        'PS_CLI_VALUE',
        `cannot accept ${written}: got more than ${LIMITS.optionListMax}; want at most that many`,
      );
    }
    given.set(name, [...before, ...(value as readonly string[])]);
  } else if (given.has(name)) {
    throw invalid('PS_CLI_VALUE', `cannot accept ${written}: got it twice; want it once`);
  } else {
    given.set(name, value);
  }
  return inline === undefined ? 1 : 0;
}

function flagName(table: OptionTable, written: string): string {
  if (/^-[a-z]$/.test(written)) {
    const long = SHORT_FLAGS[written.slice(1)];
    if (long !== undefined && Object.hasOwn(table, long)) return long;
  } else if (written.startsWith('--')) {
    const name = written.slice(2);
    if (Object.hasOwn(table, name)) return name;
    const positive = name.startsWith('no-') ? name.slice(3) : undefined;
    if (positive !== undefined && Object.hasOwn(table, positive)) {
      if (table[positive]?.type === 'boolean') return positive;
    }
  }
  const known = Object.keys(table).map((name) => `--${name}`);
  throw invalid(
    'PS_CLI_OPTION',
    `cannot accept ${written}: got an unknown option; want one that --help lists${didYouMean(written, known)}`,
  );
}
