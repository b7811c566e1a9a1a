import { LIMITS } from '../base/limits.js';
import { SERVICE_NAME } from '../model/labels.js';
import { TENANT_DEFAULT } from '../model/tenant-id.js';
import type { QueryApi } from '../query/api.js';

/** About one profile of each series, so that what is read stays small whatever the store holds. */
const WINDOW_MS = 15_000;
/** Code is compiled well after it has run a few times. */
const ROUNDS = 2;

/**
 * Starts the query thread and runs its code before somebody waits for it: questions like the page's first ones, about
 * the newest profiles of one service, since a store that was down for long has none of the last hour. What they answer
 * does not matter, nor does a failure: who asks next is told.
 */
export async function warmUpQueries(query: QueryApi, nowMs: number): Promise<void> {
  try {
    const all = {
      tenantId: TENANT_DEFAULT,
      selector: '',
      startMs: 0,
      endMs: nowMs + LIMITS.futureMsMax,
    };
    const bounds = await query.profileBounds(all);
    if (bounds === undefined) return;
    const { newestMs } = bounds;
    const newest = { ...all, startMs: Math.max(0, newestMs - WINDOW_MS), endMs: newestMs + 1 };
    const services = await query.labelValues({ ...newest, name: SERVICE_NAME });
    const [service = ''] = services.items;
    const range = { ...newest, selector: `{${SERVICE_NAME}=${JSON.stringify(service)}}` };
    const [type] = (await query.profileTypes(range)).items;
    if (type === undefined) return;
    const merge = { ...range, profileType: type.id };
    for (let round = 0; round < ROUNDS; round++) {
      await query.mergeTree(merge);
      await query.mergeTop(merge);
      await query.mergePprof(merge);
      await query.timeSeries({ ...merge, stepMs: WINDOW_MS, groupBy: [SERVICE_NAME] });
    }
  } catch {
    // A damaged block, a store that closes: whoever asks next hears of it.
  }
}
