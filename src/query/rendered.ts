import type { RenderedMerge } from './api.js';
import type { QueryContext } from './context.js';

/** A report, and what it hides. */
export type Rendered = Omit<RenderedMerge, 'stats'>;

/** What makers of texts want besides the values. */
export interface TextReport {
  readonly unit: string;
  readonly context: Pick<QueryContext, 'check'>;
}
