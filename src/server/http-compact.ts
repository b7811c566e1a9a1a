import { readParameters, type ParameterNames } from './http-parameters.js';
import { JSON_TYPE, type Reply } from './http-respond.js';

/** What a compaction did, in counts (`levelZeroCompactions`, `merges`, `profiles`, ...). */
export type CompactCall = (signal: AbortSignal) => Promise<Readonly<Record<string, number>>>;

const NAMES: ParameterNames = { once: [], repeated: [] };

/** `POST /api/v1/compact`: compacts what was written so far, beside writes and queries, and answers when that is done. */
export async function compact(
  run: CompactCall,
  search: string,
  signal: AbortSignal,
): Promise<Reply> {
  readParameters(search, NAMES);
  return { contentType: JSON_TYPE, body: Buffer.from(JSON.stringify(await run(signal))) };
}
