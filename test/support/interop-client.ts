/** The agents of other products that scripts/interop-clients.mjs installs. */
import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../../scripts/interop-clients.mjs', import.meta.url));

export interface InteropClient {
  /** What of the machine is missing, or undefined. */
  readonly missing: string | undefined;
  /** Runs its program to its end; rejects with its output when it fails. */
  run(
    args: readonly string[],
    options: { readonly timeoutMs: number; readonly env?: Record<string, string> },
  ): Promise<void>;
}

/** Installs it when it is not there. Synchronous, so that a test can be skipped by the answer. */
export function interopClient(name: string): InteropClient {
  const out = execFileSync(process.execPath, [script, name], { encoding: 'utf8' });
  const answer = JSON.parse(out) as { missing?: string; command?: string[] };
  const [file = '', ...first] = answer.command ?? [];
  return {
    missing: answer.missing,
    run: async (args, { timeoutMs, env }) => {
      await run(file, [...first, ...args], {
        timeout: timeoutMs,
        env: { ...process.env, ...env },
        maxBuffer: 16 << 20,
      });
    },
  };
}
