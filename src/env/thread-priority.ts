import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';

/**
 * Lets the other threads of the machine go first: for work that nobody waits for. On Linux alone priorities are a
 * thread's own; elsewhere nothing happens, and neither does it where the system forbids it.
 */
export function yieldToOtherThreads(niceness: number): void {
  if (process.platform !== 'linux') return;
  try {
    // `PID/task/TID`
    const threadId = Number(basename(readlinkSync('/proc/thread-self')));
    setPriority(threadId, niceness);
  } catch {
    // No /proc, or a sandbox: then it runs as everything else does.
  }
}
