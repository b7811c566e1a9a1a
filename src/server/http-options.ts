import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { type OptionTable, type OptionValues, readOptions } from '../query/option-tables.js';
import type { Parameters } from './http-parameters.js';

/** The options of queries as parameters of HTTP. */

/** Names of parameters that may repeat, or of those that may not. */
export function optionParameters(table: OptionTable, mayRepeat: boolean): readonly string[] {
  return Object.entries(table)
    .filter(([, { kind }]) => (kind === 'list') === mayRepeat)
    .map(([name, { parameter }]) => parameter ?? name);
}

/** Throws `invalid` PS_PARAMETER_NUMBER, PS_PARAMETER_FLAG or PS_STACK_VIEW. */
export function optionsOf(parameters: Parameters, table: OptionTable): OptionValues {
  return readOptions(table, (name, { kind, parameter = name, choices }) => {
    switch (kind) {
      case 'list':
        return parameters.all(parameter).filter((value) => value !== '');
      case 'count':
        return parameters.count(parameter, LIMITS.treeNodesMax);
      case 'flag':
        return flagOf(parameters, parameter);
      case 'text':
        return choices === undefined
          ? parameters.optional(parameter)
          : parameters.choice(parameter, choices, 'PS_STACK_VIEW');
    }
  });
}

/** False when it is missing. Throws `invalid` PS_PARAMETER_FLAG. */
export function flagOf(parameters: Parameters, name: string): boolean {
  const value = parameters.optional(name) ?? 'false';
  if (value === 'true' || value === 'false') return value === 'true';
  throw invalid(
    'PS_PARAMETER_FLAG',
    `cannot read parameter ${name}: got ${JSON.stringify(value.slice(0, 64))}; want true or false`,
  );
}
