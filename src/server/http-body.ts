import type { IncomingMessage } from 'node:http';
import { StoreError, invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { BodyBudget } from './body-budget.js';

/** Bodies of plain HTTP requests that bring profiles. */

function bodyTooLarge(sizeBytes: number): StoreError {
  return invalid(
    'PS_BODY_SIZE',
    `cannot receive body: got ${sizeBytes} bytes or more; want at most ${LIMITS.profileBytesMax}`,
  );
}

/** A body, and the bytes that it holds of the budget: give them back when the body is no longer needed. */
interface HeldBody {
  readonly body: Uint8Array;
  readonly heldBytes: number;
}

/** Reads the whole body within the limits; what was taken from the budget is given back when it fails. */
export async function readBody(request: IncomingMessage, budget: BodyBudget): Promise<HeldBody> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > LIMITS.profileBytesMax) throw bodyTooLarge(declared);
  let heldBytes = 0;
  const parts: Buffer[] = [];
  try {
    budget.take(declared);
    heldBytes = declared;
    let sizeBytes = 0;
    for await (const part of request as AsyncIterable<Buffer>) {
      sizeBytes += part.length;
      if (sizeBytes > LIMITS.profileBytesMax) throw bodyTooLarge(sizeBytes);
      if (sizeBytes > heldBytes) {
        budget.take(sizeBytes - heldBytes);
        heldBytes = sizeBytes;
      }
      parts.push(part);
    }
  } catch (error) {
    budget.give(heldBytes);
    if (error instanceof StoreError) throw error;
    throw new StoreError({
      kind: 'cancelled',
      code: 'PS_CANCELLED',
      message: 'cannot receive body: got the end of the connection; want the whole body',
      cause: error,
    });
  }
  const only = parts.length === 1 ? parts[0] : undefined;
  return { body: only ?? Buffer.concat(parts), heldBytes };
}

/** `gzip` is what a pprof is anyway, and both forms are accepted; nothing else is undone here. */
export function checkContentEncoding(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding === 'gzip' || encoding === 'identity') return;
  throw invalid(
    'PS_CONTENT_ENCODING',
    `cannot receive body: got content-encoding ${JSON.stringify(encoding)}; want gzip or identity`,
  );
}
