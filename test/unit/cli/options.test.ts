import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { commandHelp } from '../../../src/cli/help.js';
import { command } from '../../../src/cli/command.js';
import { variableName, type OptionTable } from '../../../src/cli/option.js';
import { parseOptions } from '../../../src/cli/parse-options.js';
import { chooseTarget } from '../../../src/cli/target.js';
import type { ValueOrigin } from '../../../src/cli/option.js';

const TABLE = {
  data: { type: 'string', default: 'data', help: 'where it lies' },
  server: { type: 'string', help: 'who is asked' },
  format: { type: 'string', choices: ['tree', 'top'], help: 'of the answer' },
  'max-nodes': { type: 'integer', default: 5, min: 1, max: 10, help: 'how many' },
  'self-profile': { type: 'boolean', default: true, help: 'on itself' },
  label: { type: 'list', help: 'pairs' },
  output: { type: 'string', help: 'file' },
} as const satisfies OptionTable;

interface Sources {
  readonly environment?: Record<string, string>;
  readonly config?: Record<string, unknown>;
}

function parse(args: readonly string[], sources: Sources = {}) {
  return parseOptions(TABLE, { args, environment: {}, config: {}, ...sources });
}

function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    expect((error as StoreError).kind).toBe('invalid');
    return (error as StoreError).message;
  }
  return 'no error';
}

describe('parseOptions', () => {
  it('gives defaults', () => {
    const { values, positionals } = parse([]);
    expect(values).toEqual({
      data: 'data',
      server: undefined,
      format: undefined,
      'max-nodes': 5,
      'self-profile': true,
      label: [],
      output: undefined,
    });
    expect(positionals).toEqual([]);
  });

  it.each([
    ['--data /x', { data: '/x' }],
    ['--data=/x', { data: '/x' }],
    ['--data=', { data: '' }],
    ['--data=a=b', { data: 'a=b' }],
    ['--max-nodes 10', { 'max-nodes': 10 }],
    ['--self-profile=false', { 'self-profile': false }],
    ['--self-profile', { 'self-profile': true }],
    ['--no-self-profile', { 'self-profile': false }],
    ['--label a=1 --label b=2,3', { label: ['a=1', 'b=2,3'] }],
    ['-o file', { output: 'file' }],
    ['--format top', { format: 'top' }],
  ])('reads %s', (line, expected) => {
    expect(parse(line.split(' ')).values).toMatchObject(expected);
  });

  it('keeps what is no option, also after --', () => {
    const { positionals, values } = parse(['a', '--data', 'x', '-', '--', '--server']);
    expect(positionals).toEqual(['a', '-', '--server']);
    expect(values.data).toBe('x');
  });

  it.each([
    ['--dat x', 'did you mean --data?'],
    ['--self-profil', 'did you mean --self-profile?'],
    ['--zebra', 'unknown option'],
    ['-x', 'unknown option'],
    ['--no-data', 'unknown option'],
    ['--max-nodes 11', 'an integer from 1 to 10'],
    ['--max-nodes 1.5', 'an integer from 1 to 10'],
    ['--format tpo', 'did you mean top?'],
    ['--self-profile=maybe', 'want true or false'],
    ['--no-self-profile=true', 'want none'],
    ['--data', 'got no value'],
    ['--data a --data b', 'got it twice'],
    [`--data ${'x'.repeat(20_000)}`, 'at most 16384'],
  ])('refuses %.30s', (line, message) => {
    expect(failure(() => parse(line.split(' ')))).toContain(message);
  });

  it('takes a flag before a variable, a variable before the file, the file before the default', () => {
    const environment = { BASALT_DATA: '/variable', BASALT_LABEL: 'a=1,b=2', BASALT_SERVER: '' };
    const config = { data: '/file', 'max-nodes': 7, label: ['c=3'], 'self-profile': false };
    const flag = parse(['--data', '/flag'], { environment, config });
    expect(flag.values.data).toBe('/flag');
    expect(flag.origins.get('data')).toBe('flag');
    const variable = parse([], { environment, config });
    expect(variable.values).toMatchObject({
      data: '/variable',
      label: ['a=1', 'b=2'],
      'max-nodes': 7,
      'self-profile': false,
      server: undefined,
    });
    expect(variable.origins.get('data')).toBe('environment');
    expect(variable.origins.get('max-nodes')).toBe('config');
    expect(variable.origins.get('server')).toBe('default');
  });

  it.each([
    [{ 'max-nodes': 'x' }, 'an integer from 1 to 10'],
    [{ data: ['x'] }, 'got a list'],
    [{ data: null }, 'got nothing'],
    [{ label: [{}] }, 'got object'],
  ])('refuses the configuration %j', (config, message) => {
    expect(failure(() => parse([], { config }))).toContain(message);
  });

  it('names every option as a variable', () => {
    expect(Object.keys(TABLE).map(variableName)).toContain('BASALT_SELF_PROFILE');
  });
});

describe('commandHelp', () => {
  it('lists every option with its variable', () => {
    const test = command({
      name: 'test',
      summary: 'tests',
      options: TABLE,
      run: () => Promise.resolve(0),
    });
    const help = commandHelp(test, {});
    for (const name of Object.keys(TABLE)) {
      expect(help).toContain(`--${name}`);
      expect(help).toContain(variableName(name));
    }
    expect(help).toContain('tree, top');
    expect(help).toContain('default 5');
  });
});

describe('chooseTarget', () => {
  const choose = (server: ValueOrigin, data: ValueOrigin) =>
    chooseTarget({
      values: { server: 'S', data: 'D' },
      origins: new Map([
        ['server', server],
        ['data', data],
      ]),
    });

  it('takes what was said more directly', () => {
    expect(choose('flag', 'environment')).toEqual({ server: 'S', data: undefined });
    expect(choose('config', 'flag')).toEqual({ server: undefined, data: 'D' });
  });

  it('refuses both said in the same way', () => {
    expect(failure(() => choose('flag', 'flag'))).toContain('want one of them');
  });
});
