import type { CommandIo } from './command.js';

const INTERVAL_MS = 100;
const BAR_CELLS = 24;

/** One line on standard error that is drawn over and over; nothing where that is no terminal. */
export interface Progress {
  /** `total` 0 means unknown. Cheap: it draws at most ten times a second. */
  update(done: number, total: number, text: string): void;
  /** Removes the line. */
  end(): void;
}

export function startProgress(io: CommandIo): Progress {
  const columns = io.progressColumns;
  if (columns === undefined) return { update: () => undefined, end: () => undefined };
  let drawnMs = Number.NEGATIVE_INFINITY;
  return {
    update(done, total, text) {
      const nowMs = io.clock.monotonicMs();
      if (nowMs - drawnMs < INTERVAL_MS) return;
      drawnMs = nowMs;
      io.err(`\r\u001b[K${progressLine(done, total, text).slice(0, columns - 1)}`);
    },
    end() {
      io.err('\r\u001b[K');
    },
  };
}

export function progressLine(done: number, total: number, text: string): string {
  if (total <= 0) return `${done} ${text}`;
  const fraction = Math.min(1, done / total);
  const filled = Math.round(fraction * BAR_CELLS);
  const bar = '#'.repeat(filled) + '.'.repeat(BAR_CELLS - filled);
  return `[${bar}] ${Math.floor(fraction * 100)}% ${done}/${total} ${text}`;
}
