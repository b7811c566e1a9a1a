import { nodeFileSystem } from '../env/node-files.js';
import { systemClock } from '../env/clock.js';
import type { CommandIo } from './command.js';
import { main } from './main.js';

/** Exit code of a process that a signal ended, as shells count: 128 + 15. */
const EXIT_SIGNAL = 143;

/** Runs the command of this process: standard streams, signals, exit code. Called by bin/basalt.js. */
export async function runProcess(): Promise<void> {
  const stop = new AbortController();
  const onSignal = (): void => {
    // The second one means: now.
    if (stop.signal.aborted) process.exit(EXIT_SIGNAL);
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // `basalt query … | head` ends the reader first: that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  process.exitCode = await main(process.argv.slice(2), processIo(stop.signal));
  process.off('SIGINT', onSignal);
  process.off('SIGTERM', onSignal);
}

function processIo(signal: AbortSignal): CommandIo {
  return {
    environment: process.env,
    files: nodeFileSystem,
    clock: systemClock,
    workingDirectory: process.cwd(),
    progressColumns: process.stderr.isTTY ? process.stderr.columns : undefined,
    out: (text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, (error) => {
          if (error) reject(error);
          else resolve();
        });
      }),
    err: (text) => {
      process.stderr.write(text);
    },
    signal,
  };
}
