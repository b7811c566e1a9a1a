/**
 * The replayer and checker of shared/tools (Go): builds it once into .cache/ and runs it. Tests that need it report
 * themselves skipped where the sources or Go are missing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const source = join(root, '../shared/tools/pload');
const binary = join(root, '.cache/pload');
export const corpusDir = join(root, '../shared/corpus');

function hasGo(): boolean {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Why the replayer cannot run here, or undefined when it can. */
export function ploadMissing(): string | undefined {
  if (!existsSync(corpusDir)) return 'no corpus beside the checkout';
  if (!existsSync(source)) return 'no replayer beside the checkout';
  if (!existsSync(binary) && !hasGo()) return 'no Go to build the replayer';
  return undefined;
}

export type Figure = Readonly<Record<string, unknown>>;

/** Runs it and returns its figures, one for each line it printed. Rejects with its stderr when it fails. */
export async function pload(
  args: readonly string[],
  signal?: AbortSignal,
): Promise<readonly Figure[]> {
  if (!existsSync(binary)) {
    mkdirSync(join(root, '.cache'), { recursive: true });
    execFileSync('go', ['build', '-o', binary, '.'], { cwd: source, stdio: 'pipe' });
  }
  const child = spawn(binary, ['-target', 'basalt', '-corpus', corpusDir, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (d: Buffer) => out.push(d));
  child.stderr.on('data', (d: Buffer) => err.push(d));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`replayer exited with ${code}: ${Buffer.concat(err).toString()}`);
  return Buffer.concat(out)
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Figure);
}
