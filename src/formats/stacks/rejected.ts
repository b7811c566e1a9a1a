/** What a reader dropped of a body that it otherwise took. */
export interface Rejected {
  /** Stable `PS_...` code. */
  readonly reason: string;
  /** Elements of the kind that the message names. */
  readonly count: number;
  readonly message: string;
}
