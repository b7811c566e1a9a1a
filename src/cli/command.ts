import type { Clock } from '../env/clock.js';
import type { FileSystem } from '../env/files.js';
import type { OptionTable, ValueOrigin, Values } from './option.js';

/** Where a command reads and writes: the process in production, buffers in tests. */
export interface CommandIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly files: FileSystem;
  readonly clock: Clock;
  /** Relative paths on the command line count from here. */
  readonly workingDirectory: string;
  /** Width in columns when standard error is a terminal, else undefined: progress is shown only there. */
  readonly progressColumns: number | undefined;
  /** Resolves when the reader has taken it. */
  out(text: string | Uint8Array): Promise<void>;
  err(text: string): void;
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

export interface CommandContext<T extends OptionTable> {
  readonly io: CommandIo;
  readonly values: Values<T>;
  readonly positionals: readonly string[];
  /** Where each value comes from. */
  readonly origins: ReadonlyMap<string, ValueOrigin>;
}

export const EXIT_OK = 0;
/** The command ran, and failed or found something. */
export const EXIT_FAILED = 1;
/** The command line or the configuration is wrong. */
export const EXIT_USAGE = 2;

/** A command whose option types are known to itself only. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What follows the options in the usage line, for example `FILE…`. */
  readonly positionals: string;
  readonly options: OptionTable;
  /** Lines for the end of the help. */
  readonly examples: readonly string[];
  /** Runs with what `parseOptions` made of this command's own table; resolves to the exit code. */
  run(context: CommandContext<OptionTable>): Promise<number>;
}

export interface CommandSpec<T extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  readonly positionals?: string;
  readonly options: T;
  readonly examples?: readonly string[];
  readonly run: (context: CommandContext<T>) => Promise<number>;
}

export function command<T extends OptionTable>(spec: CommandSpec<T>): Command {
  return {
    name: spec.name,
    summary: spec.summary,
    positionals: spec.positionals ?? '',
    options: spec.options,
    examples: spec.examples ?? [],
    run: (context) => spec.run(context as CommandContext<T>),
  };
}
