import { create } from '@bufbuild/protobuf';
import type { MessageShape } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import { invalid, StoreError } from '../../base/errors.js';
import {
  PushResponseSchema,
  PusherService,
  type RawProfileSeriesSchema,
} from '../../gen/push/v1/push_pb.js';
import type { WriteRequest } from '../../ingest/api.js';
import { type Label, PROFILE_NAME } from '../../model/labels.js';
import { type ConnectOptions, contextOf, Guard } from '../connect-guard.js';
import { splitSession } from './session.js';

/** `push.v1.PusherService`: Alloy, and the agents for Python, Ruby and Rust. */

type RawProfileSeries = MessageShape<typeof RawProfileSeriesSchema>;

/** Agents that say who they are: their profiles are deltas, though many carry no duration. */
const SCOPE_NAME = 'otel.scope.name';
const SCOPE_PREFIX = 'com.grafana.pyroscope/';
/** What a scraper of Go's delta endpoints names its profiles. */
const DELTA_PROFILE_PREFIX = 'godeltaprof_';

function sendsDeltas(labels: readonly Label[]): boolean {
  return labels.some(
    ({ name, value }) =>
      (name === SCOPE_NAME && value.startsWith(SCOPE_PREFIX)) ||
      (name === PROFILE_NAME && value.startsWith(DELTA_PROFILE_PREFIX)),
  );
}

/** One request for each profile of a series; profiles stay views of the message. */
export function pushWrites(series: RawProfileSeries): WriteRequest[] {
  const source = splitSession(series.labels.map(({ name, value }) => ({ name, value })));
  const temporality = sendsDeltas(source.labels) ? ({ temporality: 'delta' } as const) : {};
  return series.samples.map(({ rawProfile, ID }) => ({
    ...source,
    profile: rawProfile,
    ...temporality,
    ...(ID === '' ? {} : { profileId: ID }),
  }));
}

export function pusherService(options: ConnectOptions): ServiceImpl<typeof PusherService> {
  const { ingest, requestMetrics } = options;
  const guard = new Guard(options, `${PusherService.typeName}/${PusherService.method.push.name}`);
  return {
    push: (message, context) =>
      guard.unary(context, async () => {
        const { tenantId } = contextOf(context);
        const writes = message.series.flatMap(pushWrites);
        if (writes.length === 0) {
          throw invalid('PS_PUSH_EMPTY', 'cannot push: got no profile; want one or more');
        }
        const settled = await Promise.allSettled(writes.map((one) => ingest.write(tenantId, one)));
        settled.forEach((one, i) => {
          if (one.status === 'fulfilled') return;
          requestMetrics.discarded.note(tenantId, one.reason, writes[i]?.profile.length ?? 0);
        });
        const failed = settled.filter((one) => one.status === 'rejected');
        const first = failed[0];
        if (first !== undefined) throw pushError(first.reason, failed.length, writes.length);
        return create(PushResponseSchema);
      }),
  };
}

/** The first error; where some profiles were stored, it says so. */
function pushError(reason: unknown, failed: number, sent: number): StoreError {
  const error = StoreError.from(reason);
  if (sent === 1 || error.kind === 'internal') return error;
  const message = `${error.message} (${failed} of ${sent} profiles failed, the others are stored)`;
  return new StoreError({ ...error, message, cause: error });
}
