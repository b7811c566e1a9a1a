import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import { SERVICE_NAME } from '../model/labels.js';
import { TENANT_DEFAULT } from '../model/tenant-id.js';
import type { MergeQuery, QueryApi } from '../query/api.js';
import { flamebearer } from '../query/render/flamebearer.js';
import { treeJson } from './http-json.js';

/** The newest of it: about one profile of each series; then more, since only loops that run long are compiled well. */
const WINDOWS_MS = [15_000, 5 * 60_000, 60 * 60_000] as const;
/** No wider window is begun after that, whatever the store holds and however slow it is. */
const ENOUGH_MS = 3_000;
const STEP_MS = 15_000;

/**
 * Starts the query thread and runs its code, and the code that answers for it, before somebody waits for it: questions
 * like the page's first ones, about the newest profiles of one service, since a store that was down for long has none of
 * the last hour. What they answer does not matter, nor does a failure: who asks next is told.
 */
export async function warmUpQueries(query: QueryApi, clock: Clock): Promise<void> {
  const enoughMs = clock.monotonicMs() + ENOUGH_MS;
  try {
    const all = {
      tenantId: TENANT_DEFAULT,
      selector: '',
      startMs: 0,
      endMs: clock.nowMs() + LIMITS.futureMsMax,
    };
    const bounds = await query.profileBounds(all);
    if (bounds === undefined) return;
    const endMs = bounds.newestMs + 1;
    const [newestMs] = WINDOWS_MS;
    const newest = { ...all, startMs: Math.max(0, endMs - newestMs), endMs };
    const merge = await busyMerge(query, newest);
    for (const windowMs of WINDOWS_MS) {
      if (merge === undefined || clock.monotonicMs() > enoughMs) return;
      await ask(query, { ...merge, startMs: Math.max(0, endMs - windowMs) });
    }
  } catch {
    // A damaged block, a store that closes: whoever asks next hears of it.
  }
}

/** One service's CPU, whose stacks differ the most, or what it has in its place. */
async function busyMerge(
  query: QueryApi,
  range: Omit<MergeQuery, 'profileType'>,
): Promise<MergeQuery | undefined> {
  const services = await query.labelValues({ ...range, name: SERVICE_NAME });
  const [service = ''] = services.items;
  const selector = `{${SERVICE_NAME}=${JSON.stringify(service)}}`;
  const types = (await query.profileTypes({ ...range, selector })).items;
  const type = types.find(({ id }) => id.includes(':cpu:')) ?? types[0];
  return type === undefined ? undefined : { ...range, selector, profileType: type.id };
}

async function ask(query: QueryApi, merge: MergeQuery): Promise<void> {
  const tree = await query.mergeTree(merge);
  treeJson(tree);
  flamebearer(tree);
  await query.mergeTop(merge);
  await query.mergePprof(merge);
  await query.timeSeries({ ...merge, stepMs: STEP_MS, groupBy: [SERVICE_NAME] });
}
