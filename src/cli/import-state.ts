import { invalid, isKind } from '../base/errors.js';
import type { FileSystem } from '../env/files.js';
import { readBounded } from './read-bounded.js';

/** How far an import has come, in a file, so that the next run goes on there. */
export interface ImportState {
  /** What is imported, as text: a file of another import is not taken for this one's. */
  readonly what: string;
  /** Everything from here ... */
  readonly fromMs: number;
  /** ... to here, exclusive, is there. */
  readonly nextMs: number;
}

const VERSION = 2;
const STATE_BYTES_MAX = 1 << 20;

/** Undefined without a file. Throws `invalid` PS_CLI_IMPORT for one that is none, or of another import. */
export async function readImportState(
  files: FileSystem,
  path: string,
  what: string,
): Promise<ImportState | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readBounded(files, path, STATE_BYTES_MAX);
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
  const state = parse(new TextDecoder().decode(bytes));
  if (state?.what === what) return state;
  throw invalid(
    'PS_CLI_IMPORT',
    `cannot go on with ${path}: got ${state === undefined ? 'no state of an import' : `an import of ${state.what}`}; want one of ${what} (another --state file)`,
  );
}

function parse(text: string): ImportState | undefined {
  try {
    const value = JSON.parse(text) as Record<'version' | keyof ImportState, unknown>;
    const { version, what, fromMs, nextMs } = value;
    if (version !== VERSION || typeof what !== 'string') return undefined;
    if (!Number.isSafeInteger(fromMs) || !Number.isSafeInteger(nextMs)) return undefined;
    return { what, fromMs: fromMs as number, nextMs: nextMs as number };
  } catch {
    return undefined;
  }
}

export async function writeImportState(
  files: FileSystem,
  path: string,
  state: ImportState,
): Promise<void> {
  const text = `${JSON.stringify({ version: VERSION, ...state })}\n`;
  await files.writeReplace(path, new TextEncoder().encode(text));
}
