/**
 * Options as data: one table for each command says names, types, defaults and help; flags, `BASALT_…` variables,
 * configuration keys, `--print-config` and `--help` are all derived from it.
 */

interface OptionBase {
  /** One line for `--help`. */
  readonly help: string;
  /** What stands for the value in the help, for example `DIR`. */
  readonly placeholder?: string;
}

export interface StringOption extends OptionBase {
  readonly type: 'string';
  readonly default?: string;
  readonly choices?: readonly string[];
}

export interface IntegerOption extends OptionBase {
  readonly type: 'integer';
  readonly default?: number;
  /** Both inclusive. */
  readonly min: number;
  readonly max: number;
}

export interface BooleanOption extends OptionBase {
  readonly type: 'boolean';
  readonly default: boolean;
}

/** May be given several times; in a variable separated by commas. */
export interface ListOption extends OptionBase {
  readonly type: 'list';
}

export type Option = StringOption | IntegerOption | BooleanOption | ListOption;
/** Keys are the flags' names without `--`, in kebab-case. */
export type OptionTable = Readonly<Record<string, Option>>;

export type OptionValue = string | number | boolean | readonly string[] | undefined;

/** The type of an option's value: without a default a string or integer may be missing. */
export type ValueOf<O extends Option> = O extends BooleanOption
  ? boolean
  : O extends ListOption
    ? readonly string[]
    : O extends IntegerOption
      ? O extends { readonly default: number }
        ? number
        : number | undefined
      : O extends { readonly default: string }
        ? string
        : string | undefined;

export type Values<T extends OptionTable> = { readonly [K in keyof T]: ValueOf<T[K]> };

export type ValueOrigin = 'flag' | 'environment' | 'config' | 'default';

export function variableName(option: string): string {
  return `BASALT_${option.replaceAll('-', '_').toUpperCase()}`;
}
