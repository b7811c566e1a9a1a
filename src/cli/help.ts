import type { Command } from './command.js';
import { SHORT_FLAGS } from './parse-options.js';
import { variableName, type Option, type OptionTable } from './option.js';

const COLUMN = 30;

/** The help of `basalt`, made from the commands. */
export function programHelp(commands: readonly Command[]): string {
  const lines = commands.map((c) => `  ${c.name.padEnd(12)} ${c.summary}`);
  return [
    'basalt: a columnar time-series profile storage engine',
    '',
    'Usage: basalt COMMAND [OPTION…]',
    '',
    'Commands:',
    ...lines,
    '',
    'basalt COMMAND --help lists the options of a command; basalt --version prints the version.',
    'Every option is also a BASALT_… variable and a key of --config FILE (YAML).',
    '',
  ].join('\n');
}

/** The help of one command, made from its option table. */
export function commandHelp(command: Command, common: OptionTable): string {
  const lines = [
    `${command.summary}`,
    '',
    `Usage: basalt ${command.name}${command.positionals === '' ? '' : ` ${command.positionals}`} [OPTION…]`,
    '',
    'Options:',
  ];
  for (const table of [command.options, common]) {
    for (const [name, option] of Object.entries(table)) lines.push(...optionLines(name, option));
  }
  if (command.examples.length > 0) {
    lines.push('', 'Examples:', ...command.examples.map((example) => `  ${example}`));
  }
  lines.push('');
  return lines.join('\n');
}

function optionLines(name: string, option: Option): string[] {
  const short = Object.entries(SHORT_FLAGS).find(([, long]) => long === name)?.[0];
  const flag = `  ${short === undefined ? '' : `-${short}, `}--${name}${placeholder(option)}`;
  const text = `${option.help}${notes(name, option)}`;
  if (flag.length < COLUMN - 1) return [flag.padEnd(COLUMN) + text];
  return [flag, ' '.repeat(COLUMN) + text];
}

function placeholder(option: Option): string {
  if (option.type === 'boolean') return '';
  return ` ${option.placeholder ?? (option.type === 'integer' ? 'N' : 'TEXT')}`;
}

function notes(name: string, option: Option): string {
  const parts: string[] = [];
  if (option.type === 'string' && option.choices !== undefined) {
    parts.push(option.choices.join(', '));
  }
  if (option.type === 'list') parts.push('may be repeated');
  if (option.type === 'boolean' && option.default) parts.push(`default on; --no-${name}`);
  if (option.type !== 'list' && option.type !== 'boolean' && option.default !== undefined) {
    parts.push(`default ${option.default}`);
  }
  parts.push(variableName(name));
  return ` (${parts.join('; ')})`;
}
