import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { nearest } from './nearest.js';

/** The query parameters of one request: only known names, each once unless it may repeat. */
export class Parameters {
  private readonly values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.values = values;
  }

  /** The value, or undefined when it is missing or empty. */
  optional(name: string): string | undefined {
    const value = this.values.get(name)?.[0];
    return value === undefined || value === '' ? undefined : value;
  }

  /** Throws `invalid` PS_PARAMETER_MISSING. */
  required(name: string): string {
    const value = this.optional(name);
    if (value === undefined) {
      throw invalid('PS_PARAMETER_MISSING', `cannot answer: got no parameter ${name}; want one`);
    }
    return value;
  }

  all(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }

  /** One of `allowed`, or undefined when it is missing. Throws `invalid` with `code`. */
  choice<T extends string>(name: string, allowed: readonly T[], code: string): T | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    throw invalid(
      code,
      `cannot read parameter ${name}: got ${JSON.stringify(value.slice(0, 64))}; want ${allowed.join(', ')}`,
    );
  }

  /** An integer in [1, max], or undefined when it is missing. Throws `invalid` PS_PARAMETER_NUMBER. */
  count(name: string, max: number): number | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    const number = /^\d{1,12}$/.test(value) ? Number(value) : 0;
    if (number >= 1 && number <= max) return number;
    throw invalid(
      'PS_PARAMETER_NUMBER',
      `cannot read parameter ${name}: got ${JSON.stringify(value.slice(0, 64))}; want 1 to ${max}`,
    );
  }
}

export interface ParameterNames {
  readonly once: readonly string[];
  readonly repeated: readonly string[];
}

/** Throws `invalid` PS_PARAMETER_UNKNOWN (with the nearest name), PS_PARAMETER_REPEATED or PS_PARAMETER_COUNT. */
export function readParameters(search: string, names: ParameterNames): Parameters {
  const values = new Map<string, string[]>();
  let count = 0;
  for (const [name, value] of new URLSearchParams(search)) {
    count += 1;
    if (count > LIMITS.httpParametersMax) {
      throw invalid(
        'PS_PARAMETER_COUNT',
        `cannot read parameters: got more than ${LIMITS.httpParametersMax}; want at most that many`,
      );
    }
    if (!names.once.includes(name) && !names.repeated.includes(name)) throw unknown(name, names);
    const list = values.get(name);
    if (list === undefined) {
      values.set(name, [value]);
    } else if (names.repeated.includes(name)) {
      list.push(value);
    } else {
      throw invalid(
        'PS_PARAMETER_REPEATED',
        `cannot read parameter ${name}: got it twice; want it once`,
      );
    }
  }
  return new Parameters(values);
}

function unknown(name: string, names: ParameterNames): Error {
  const known = [...names.once, ...names.repeated];
  const guess = nearest(name, known);
  const want = guess === undefined ? `one of ${known.join(', ')}` : guess;
  return invalid(
    'PS_PARAMETER_UNKNOWN',
    `cannot read parameters: got unknown ${JSON.stringify(name.slice(0, 64))}; want ${want}`,
  );
}
