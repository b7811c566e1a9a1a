/** Takes profiles sample by sample. */
export interface Observer {
  /** A sample of the profile that is open; `functions` are those of its stack, each once, the leaf's first. */
  add(functions: readonly number[], value: number): void;
  /** Every profile ends, also one without a sample. */
  endProfile(startNs: bigint): void;
}
