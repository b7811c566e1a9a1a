/** What a query may ask of stacks (docs/filters.md). */

/** Which stacks count, and which of their frames show. Absent parts filter nothing. */
export interface StackFilter {
  /** Regular expressions, searched in function names, file names and mapping files, as `go tool pprof` has them. */
  readonly focus?: string;
  readonly ignore?: string;
  readonly hide?: string;
  readonly show?: string;
  readonly showFrom?: string;
  readonly pruneFrom?: string;
  /** Patterns of stacks that count: all must hold. */
  readonly stack?: readonly string[];
  /** Patterns of frames that are left out. */
  readonly hideFrame?: readonly string[];
}

export const GRANULARITIES = ['function', 'file', 'line', 'mapping', 'address'] as const;
export type Granularity = (typeof GRANULARITIES)[number];

/** How stacks show. */
export interface StackView {
  /** What a node stands for. Default: function. */
  readonly granularity?: Granularity;
  /** Labels, of series or samples, whose values become the first frames. */
  readonly rootLabel?: readonly string[];
  /** Leaves first: who called. */
  readonly inverted?: boolean;
  /** A function that calls itself is one frame. */
  readonly collapseRecursion?: boolean;
}
