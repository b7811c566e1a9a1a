import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { didYouMean } from './did-you-mean.js';
import type { Option, OptionValue } from './option.js';

/** `name` is how the user wrote it: `--http`, `BASALT_HTTP` or `http` of a file. Throws `invalid` PS_CLI_VALUE. */
export function parseValue(name: string, option: Option, text: string): OptionValue {
  if (text.length > LIMITS.optionValueLengthMax) {
    throw bad(name, `${text.length} characters`, `at most ${LIMITS.optionValueLengthMax}`);
  }
  switch (option.type) {
    case 'boolean':
      return parseBoolean(name, text);
    case 'integer':
      return parseInteger(name, option.min, option.max, text);
    case 'list':
      return [text];
    case 'string':
      return parseChoice(name, option.choices, text);
  }
}

/** A value of a YAML file, which is typed already. */
export function configValue(name: string, option: Option, value: unknown): OptionValue {
  if (option.type === 'list') {
    const items = Array.isArray(value) ? value : [value];
    if (items.length > LIMITS.optionListMax) {
      throw bad(name, `${items.length} items`, `at most ${LIMITS.optionListMax}`);
    }
    return items.map((item) => scalarText(name, item));
  }
  return parseValue(name, option, scalarText(name, value));
}

function scalarText(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const got = value === null ? 'nothing' : Array.isArray(value) ? 'a list' : typeof value;
  throw bad(name, got, 'a text, number or boolean');
}

function parseBoolean(name: string, text: string): boolean {
  switch (text.toLowerCase()) {
    case 'true':
    case '1':
    case 'yes':
    case 'on':
      return true;
    case 'false':
    case '0':
    case 'no':
    case 'off':
      return false;
    default:
      throw bad(name, JSON.stringify(text), 'true or false');
  }
}

function parseInteger(name: string, min: number, max: number, text: string): number {
  const value = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw bad(name, JSON.stringify(text), `an integer from ${min} to ${max}`);
  }
  return value;
}

function parseChoice(name: string, choices: readonly string[] | undefined, text: string): string {
  if (choices === undefined || choices.includes(text)) return text;
  throw bad(name, JSON.stringify(text), choices.join(', ') + didYouMean(text, choices));
}

function bad(name: string, got: string, want: string): Error {
  return invalid('PS_CLI_VALUE', `cannot accept ${name}: got ${got}; want ${want}`);
}
