/** The built `basalt` command, run to its end. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');
export const BASALT = join(ROOT, 'bin', 'basalt.js');

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function basalt(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Record<string, string> },
): Ran {
  const ran = spawnSync(process.execPath, [BASALT, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 64 << 20,
  });
  return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
}
