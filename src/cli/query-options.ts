import { LIMITS } from '../base/limits.js';
import {
  type OptionTable as QueryOptionTable,
  type OptionValue as QueryOptionValue,
  type OptionValues,
  type QueryOption,
  readOptions,
} from '../query/option-tables.js';
import type { Option, OptionTable } from './option.js';

/** The options of queries as options of the command line: the same names in kebab-case. */
export function derivedOptions(table: QueryOptionTable): OptionTable {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [optionName(name), optionOf(option)]),
  );
}

export function derivedValues(table: QueryOptionTable, values: object): OptionValues {
  const byName = values as Readonly<Record<string, QueryOptionValue>>;
  return readOptions(table, (name) => byName[optionName(name)]);
}

/** A list is given one value at a time, so that its option is in the singular. */
function optionName(name: string): string {
  const singular = name.replace(/Ids$/, 'Id');
  return singular.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function optionOf({ kind, help, choices }: QueryOption): Option {
  switch (kind) {
    case 'list':
      return { type: 'list', help };
    case 'flag':
      return { type: 'boolean', default: false, help };
    case 'count':
      return { type: 'integer', min: 1, max: LIMITS.treeNodesMax, help };
    case 'text':
      return choices === undefined ? { type: 'string', help } : { type: 'string', choices, help };
  }
}
