/** A store as it is on disk right now, without its lock: beside a running server, or of a copied directory. */
import type { QueryApi } from '../query/api.js';
import type { Inspection } from './inspect.js';
import { dataLayout, openStoreBucket } from './layout.js';
import type { Environment, StoreLocation } from './options.js';
import { systemEnvironment } from './threads/settings.js';
import type { Finding } from './verify.js';

export interface Snapshot {
  readonly query: QueryApi;
  inspect(): Promise<Inspection>;
  verify(): Promise<readonly Finding[]>;
  close(): Promise<void>;
}

/** Throws `not-found` when there is no such directory. The log is read as far as it was whole when this was called. */
export async function openSnapshot(
  options: StoreLocation & { readonly environment?: Environment },
): Promise<Snapshot> {
  // Loaded here, not with the package: who opens a store with threads has the engine there.
  const [{ listLogPosition }, { openQueryPart }, { inspectPlace }, { verifyPlace }] =
    await Promise.all([
      import('../head/log-position.js'),
      import('./query-part.js'),
      import('./inspect.js'),
      import('./verify.js'),
    ]);
  const environment = options.environment ?? systemEnvironment;
  const layout = dataLayout(options.dir);
  await environment.files.list(layout.dir);
  const bucket = await openStoreBucket(layout, options, environment);
  const position = () => listLogPosition(environment.files, layout.logDir);
  const place = async () => ({ layout, bucket, environment, position: await position() });
  return {
    query: openQueryPart({ layout, bucket, environment, position }),
    inspect: () => inspectPlace(place),
    verify: () => verifyPlace(place),
    close: () => bucket.close(),
  };
}
