import { nodeFileSystem } from '../../env/node-files.js';
import { systemClock } from '../../env/clock.js';
import { systemRng } from '../../env/rng.js';
import type { Bucket } from '../../objstore/bucket.js';
import { type DataLayout, dataLayout, openStoreBucket } from '../layout.js';
import type { Environment, PartSettings } from '../options.js';

export const systemEnvironment: Environment = {
  files: nodeFileSystem,
  clock: systemClock,
  rng: systemRng,
};

/** What every part starts from, inside a thread: its own bucket on the same place. */
export async function openPlace(
  settings: PartSettings,
): Promise<{ layout: DataLayout; bucket: Bucket; environment: Environment }> {
  const layout = dataLayout(settings.dir);
  const bucket = await openStoreBucket(layout, settings, systemEnvironment);
  return { layout, bucket, environment: systemEnvironment };
}
