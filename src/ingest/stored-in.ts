/** Where a profile of level 0 is: in a commit that is being filled or written, or in a segment. */
export interface StoredIn {
  /** Resolves when it is durable, rejects when it was lost; undefined when it is durable. */
  pending: Promise<void> | undefined;
  /** The segment; 0 while that is not decided. */
  sequence: number;
}
