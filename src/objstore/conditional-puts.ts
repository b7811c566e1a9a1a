import { isKind, StoreError } from '../base/errors.js';
import { randomHex, type Rng } from '../env/rng.js';
import type { Bucket } from './bucket.js';

const WRITERS = 4;

/**
 * Tries what the manifest stands on: of several writers one creates an object, a second creation fails, a stale etag
 * fails, a current one does not, and a list shows the object at once. Leaves nothing behind. Throws `invalid`
 * PS_BUCKET_UNSAFE for a store that fails it.
 */
export async function checkConditionalPuts(bucket: Bucket, rng: Rng): Promise<void> {
  const key = `self-test/${randomHex(rng, 16)}`;
  const body = (text: string): Uint8Array => new TextEncoder().encode(text);
  try {
    const creations = await Promise.all(
      Array.from({ length: WRITERS }, (_, i) =>
        succeeds(bucket.putIfAbsent(key, body(`writer ${i}`))),
      ),
    );
    const winners = creations.filter((won) => won).length;
    if (winners !== 1) throw unsafe(bucket, 'create if absent', `${winners} winners of ${WRITERS}`);
    if (await succeeds(bucket.putIfAbsent(key, body('late')))) {
      throw unsafe(bucket, 'create if absent', 'a second creation');
    }
    const { etag } = await bucket.head(key);
    if (!(await succeeds(bucket.putIfMatch(key, body('second'), etag)))) {
      throw unsafe(
        bucket,
        'replace if unchanged',
        'a refusal of the current etag (see ifMatchEtags)',
      );
    }
    if (await succeeds(bucket.putIfMatch(key, body('third'), etag))) {
      throw unsafe(bucket, 'replace if unchanged', 'success with a stale etag');
    }
    let isListed = false;
    for await (const object of bucket.list({ prefix: key })) isListed ||= object.key === key;
    if (!isListed) throw unsafe(bucket, 'list', 'a list without the object just put');
  } catch (error) {
    // Where the store does not answer, waiting for it once is enough.
    if (!isKind(error, 'unavailable')) await bucket.delete(key).catch(() => undefined);
    throw error;
  }
  await bucket.delete(key);
}

async function succeeds(put: Promise<unknown>): Promise<boolean> {
  try {
    await put;
    return true;
  } catch (error) {
    if (isKind(error, 'conflict')) return false;
    throw error;
  }
}

function unsafe(bucket: Bucket, what: string, got: string): StoreError {
  return new StoreError({
    kind: 'invalid',
    code: 'PS_BUCKET_UNSAFE',
    message: `cannot use bucket ${bucket.name}: got ${got}; want a store that keeps "${what}"`,
  });
}
