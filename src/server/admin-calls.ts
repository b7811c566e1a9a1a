import { create, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { invalid } from '../base/errors.js';
import {
  type AdminService,
  type DeletionSchema,
  DeleteResponseSchema,
  DeletionsResponseSchema,
  RetentionResponseSchema,
} from '../gen/basalt/v1/admin_pb.js';
import type { AdminApi, ServedDeletion } from './http-admin.js';
import { type CallContext, safeNumber } from './query-messages.js';

type AdminMethods = typeof AdminService.method;

/** AdminService over what the server offers, one function a method; gRPC and Connect both call these. */
export type AdminCalls = {
  readonly [M in keyof AdminMethods]: (
    context: CallContext,
    request: MessageShape<AdminMethods[M]['input']>,
  ) => Promise<
    MessageInitShape<AdminMethods[M]['output']> & MessageShape<AdminMethods[M]['output']>
  >;
};

export function adminCalls(admin: AdminApi): AdminCalls {
  return {
    async delete({ tenantId }, { selector, startMs, endMs }) {
      if (selector === '') {
        throw invalid('PS_PARAMETER_MISSING', 'cannot delete: got no selector; want one');
      }
      const deletion = await admin.delete({
        tenantId,
        selector,
        ...(startMs === undefined ? {} : { startMs: safeNumber('start_ms', startMs) }),
        ...(endMs === undefined ? {} : { endMs: safeNumber('end_ms', endMs) }),
      });
      return create(DeleteResponseSchema, {
        deletion: deletionMessage(deletion),
        sumsKept: BigInt(deletion.sumsKept),
      });
    },
    async deletions({ tenantId }) {
      const deletions = await admin.deletions(tenantId);
      return create(DeletionsResponseSchema, { deletions: deletions.map(deletionMessage) });
    },
    async retention({ tenantId }) {
      const rules = admin.retention
        .filter((rule) => (rule.tenantId ?? tenantId) === tenantId)
        .map(({ selector = '', keepMs = 0, sums = [] }) => ({
          selector,
          keepMs: BigInt(keepMs),
          sums: sums.map(({ afterMs, width }) => ({ afterMs: BigInt(afterMs), width })),
        }));
      return create(RetentionResponseSchema, { rules });
    },
  };
}

function deletionMessage(deletion: ServedDeletion): MessageInitShape<typeof DeletionSchema> {
  const { id, selector, startMs, endMs, createdMs, blocks } = deletion;
  return {
    id: BigInt(id),
    selector,
    startMs: BigInt(startMs),
    endMs: BigInt(endMs),
    createdMs: BigInt(createdMs),
    blocks: BigInt(blocks),
  };
}
