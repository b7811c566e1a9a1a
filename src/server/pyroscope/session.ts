import type { Label } from '../../model/labels.js';

/** Tells apart the processes behind one label set: no part of the series. */
const SESSION_ID = '__session_id__';

/** The labels without the session, and who wrote where one is named. */
export function splitSession(labels: readonly Label[]): {
  readonly labels: readonly Label[];
  readonly writer?: string;
} {
  const session = labels.find(({ name }) => name === SESSION_ID);
  if (session === undefined) return { labels };
  return { labels: labels.filter(({ name }) => name !== SESSION_ID), writer: session.value };
}
