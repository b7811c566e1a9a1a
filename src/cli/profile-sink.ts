import { invalid } from '../base/errors.js';
import type { Label } from '../model/labels.js';
import type { Temporality } from '../model/series.js';
import { tenantOf } from '../server/tenant.js';
import type { CommandIo } from './command.js';
import { httpClient } from './http-client.js';
import { storePlace, type BucketValues } from './store-location.js';

/** Where `push` and `import` send profiles: a server, or a store of their own. */
export interface ProfileSink {
  /** Resolves when the profile is durable. Throws StoreError. */
  write(profile: OutgoingProfile): Promise<SinkResult>;
  close(): Promise<void>;
}

export interface OutgoingProfile {
  readonly labels: readonly Label[];
  readonly body: Uint8Array;
  readonly temporality: Temporality | undefined;
  /** Default: by content. */
  readonly profileId?: string;
}

export interface SinkResult {
  readonly profiles: number;
  readonly samples: number;
  /** Messages about what was dropped. */
  readonly rejections: readonly string[];
}

export interface SinkOptions extends BucketValues {
  readonly server: string | undefined;
  readonly data: string | undefined;
  readonly tenant: string;
}

export async function openSink(io: CommandIo, options: SinkOptions): Promise<ProfileSink> {
  if (options.data === undefined) {
    return serverSink(io, options.server ?? 'http://127.0.0.1:4040', options.tenant);
  }
  const tenantId = tenantOf(options.tenant);
  // The engine is loaded only where it is needed: most calls go to a server.
  const { openStore } = await import('../index.js');
  const store = await openStore({
    ...storePlace(io, options.data, options),
    compaction: 'manual',
  });
  return {
    async write({ labels, body, temporality, profileId }) {
      const request = {
        labels,
        profile: body,
        ...(temporality === undefined ? {} : { temporality }),
        ...(profileId === undefined ? {} : { profileId }),
      };
      const result = await store.ingest.write(tenantId, request);
      return {
        profiles: result.profiles,
        samples: result.samples,
        rejections: result.rejections.map((r) => `${r.reason}: ${r.message} (${r.count})`),
      };
    },
    close: () => store.close(),
  };
}

function serverSink(io: CommandIo, server: string, tenant: string): ProfileSink {
  const client = httpClient(server, tenant);
  return {
    async write({ labels, body, temporality, profileId }) {
      const parameters = new URLSearchParams();
      for (const { name, value } of labels) parameters.append('label', `${name}=${value}`);
      if (temporality !== undefined) parameters.set('temporality', temporality);
      if (profileId !== undefined) parameters.set('profile_id', profileId);
      const answer = await client.post('/api/v1/write', parameters, body, io.signal);
      return sinkResult(new TextDecoder().decode(answer));
    },
    close: () => Promise.resolve(),
  };
}

function sinkResult(text: string): SinkResult {
  const value = JSON.parse(text) as {
    profiles?: number;
    samples?: string | number;
    rejections?: readonly { reason?: string; message?: string; count?: string | number }[];
  };
  return {
    profiles: Number(value.profiles ?? 0),
    samples: Number(value.samples ?? 0),
    rejections: (value.rejections ?? []).map(
      (r) => `${r.reason ?? ''}: ${r.message ?? ''} (${r.count ?? 0})`,
    ),
  };
}

/** `name=value`. Throws `invalid` PS_CLI_LABEL. */
export function parseLabel(text: string): Label {
  const equals = text.indexOf('=');
  if (equals <= 0) {
    throw invalid(
      'PS_CLI_LABEL',
      `cannot accept --label: got ${JSON.stringify(text)}; want NAME=VALUE`,
    );
  }
  return { name: text.slice(0, equals), value: text.slice(equals + 1) };
}
