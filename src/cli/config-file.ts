import { invalid, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { didYouMean } from './did-you-mean.js';
import type { FileSystem } from '../env/files.js';
import { readBounded } from './read-bounded.js';

/**
 * Reads `--config FILE`: one flat mapping from option names to values. One file serves all commands, so a key may
 * belong to any of them; one that belongs to none is an error. Throws `invalid` PS_CLI_CONFIG.
 */
export async function readConfig(
  files: FileSystem,
  path: string,
  knownKeys: ReadonlySet<string>,
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readBounded(files, path, LIMITS.configBytesMax);
  const value = await parseYaml(path, new TextDecoder().decode(bytes));
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw bad(
      path,
      Array.isArray(value) ? 'a list' : typeof value,
      'a mapping of options to values',
    );
  }
  for (const key of Object.keys(value)) {
    if (!knownKeys.has(key)) {
      throw bad(
        path,
        `unknown key ${JSON.stringify(key)}`,
        `an option's name${didYouMean(key, knownKeys)}`,
      );
    }
  }
  return value as Readonly<Record<string, unknown>>;
}

async function parseYaml(path: string, text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  try {
    // Aliases can make a small file huge; a flat mapping needs none.
    return parse(text, { maxAliasCount: 0, uniqueKeys: true, prettyErrors: true });
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new StoreError({
      kind: 'invalid',
      code: 'PS_CLI_CONFIG',
      message: `cannot read configuration ${path}: got ${message}; want YAML`,
      cause: error,
    });
  }
}

function bad(path: string, got: string, want: string): StoreError {
  return invalid('PS_CLI_CONFIG', `cannot read configuration ${path}: got ${got}; want ${want}`);
}
