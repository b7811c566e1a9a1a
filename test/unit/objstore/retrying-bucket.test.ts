import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { MemoryBucket } from '../../../src/objstore/memory-bucket.js';
import { Retrier, type RetryPolicy } from '../../../src/objstore/retrier.js';
import { RetryingBucket } from '../../../src/objstore/retrying-bucket.js';
import { bucketConformance } from '../../conformance/bucket.js';
import { FaultyBucket, type FaultPlan } from '../../support/faulty-bucket.js';
import { mulberry32 } from '../../support/lossy-files.js';
import { seededRng, VirtualClock } from '../../support/virtual-clock.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (b: Uint8Array): string => new TextDecoder().decode(b);

function setUp(plan?: FaultPlan, policy: Partial<RetryPolicy> = {}) {
  const memory = new MemoryBucket();
  const faulty = new FaultyBucket(memory, plan);
  const clock = new VirtualClock();
  const retrier = new Retrier({ clock, rng: seededRng(1), policy });
  return { memory, faulty, clock, retrier, bucket: new RetryingBucket(faulty, retrier) };
}

bucketConformance('retrying over a bucket that loses a third of its answers', async () => {
  const random = mulberry32(99);
  const { bucket } = setUp((_n, operation) => {
    // An upload's steps are for the bucket below to repeat.
    if (['write', 'finish', 'abort'].includes(operation)) return undefined;
    const r = random();
    return r < 0.15 ? 'fail' : r < 0.3 ? 'lose-reply' : undefined;
  });
  return { bucket, close: () => bucket.close() };
});

describe('retrying bucket', () => {
  it('waits with jitter and doubling, and gives up at the deadline', async () => {
    const { faulty, clock, bucket } = setUp(() => 'fail', { budgetMax: 100 });
    await expect(bucket.get('k')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(clock.sleepsMs.length).toBe(faulty.callCount - 1);
    clock.sleepsMs.forEach((ms, i) => {
      expect(ms).toBeLessThanOrEqual(Math.min(5_000, 100 * 2 ** i));
    });
    const total = clock.sleepsMs.reduce((a, b) => a + b, 0);
    expect(total).toBeLessThanOrEqual(3 * (15_000 + 64_000));
    expect(total).toBeGreaterThan(10_000);
  });

  it('does not repeat what a repetition cannot mend', async () => {
    const { faulty, bucket } = setUp();
    await expect(bucket.get('no')).rejects.toMatchObject({ kind: 'not-found' });
    await bucket.putIfAbsent('k', bytes('x'));
    await expect(bucket.putIfAbsent('k', bytes('y'))).rejects.toMatchObject({ kind: 'conflict' });
    expect(faulty.callCount).toBe(3);
  });

  it('finds its own success after a lost answer, and only its own', async () => {
    for (const method of ['putIfAbsent', 'putIfMatch'] as const) {
      const { memory, faulty, bucket } = setUp();
      const { etag } = await memory.put('k', bytes('old'));
      if (method === 'putIfAbsent') await memory.delete('k');
      const put = (body: string) =>
        method === 'putIfAbsent'
          ? bucket.putIfAbsent('k', bytes(body))
          : bucket.putIfMatch('k', bytes(body), etag);
      faulty.failNth(1, 'lose-reply');
      const won = await put('mine');
      expect(won.etag).toBe((await memory.head('k')).etag);

      // Another one has won meanwhile, with a body of the same length.
      faulty.failNth(1, 'fail');
      await expect(put('mind')).rejects.toMatchObject({ kind: 'conflict' });
      expect(text((await memory.get('k')).body)).toBe('mine');
    }
  });

  it('says when the outcome stays unknown', async () => {
    const { memory, bucket } = setUp((n) => (n === 1 ? 'lose-reply' : 'fail'));
    await expect(bucket.putIfAbsent('k', bytes('x'))).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'PS_OBJECT_OUTCOME_UNKNOWN',
    });
    expect((await memory.get('k')).body.length).toBe(1);
  });

  it('ends an attempt that hangs, and tries again', async () => {
    const { faulty, clock, bucket } = setUp();
    await bucket.put('k', bytes('x'));
    faulty.failNth(1, 'hang');
    expect(text((await bucket.get('k')).body)).toBe('x');
    expect(clock.sleepsMs[0]).toBeGreaterThanOrEqual(15_000);
  });

  it('stops when the caller does', async () => {
    const { faulty, bucket } = setUp(() => 'hang');
    const stop = new AbortController();
    const call = bucket.get('k', { signal: stop.signal });
    stop.abort();
    await expect(call).rejects.toMatchObject({ kind: 'cancelled' });
    expect(faulty.callCount).toBe(1);
  });

  it('sends at most a tenth more to a healthy store, and stays slow with a sick one', async () => {
    const healthy = setUp((n) => (n % 50 === 0 ? 'fail' : undefined));
    for (let i = 0; i < 1_000; i++) await healthy.bucket.put('k', bytes('x'));
    expect(healthy.retrier.retryCount).toBeLessThanOrEqual(100);

    const sick = setUp(() => 'fail');
    const calls = Array.from({ length: 100 }, () => sick.bucket.head('k'));
    await Promise.allSettled(calls);
    // Ten quick ones from the budget; all others wait for a second or more.
    const quick = sick.clock.sleepsMs.filter((ms) => ms < 1_000).length;
    expect(quick).toBeLessThanOrEqual(20);
  });

  it('succeeds with a store that refuses a third for a minute', async () => {
    const random = mulberry32(5);
    const { bucket, retrier } = setUp(() => (random() < 0.3 ? 'fail' : undefined));
    const puts = Array.from({ length: 500 }, (_, i) => bucket.put(`k/${i}`, bytes('x')));
    await Promise.all(puts);
    expect(retrier.retryCount).toBeGreaterThan(100);
  });

  it('goes on with a list where it broke off', async () => {
    const { memory, faulty, bucket } = setUp();
    for (let i = 0; i < 64; i++) await memory.put(`k/${100 + i}`, bytes('x'));
    faulty.setPlan((n) => (n <= 5 ? 'lose-reply' : undefined));
    const keys: string[] = [];
    for await (const object of bucket.list({ prefix: 'k/' })) keys.push(object.key);
    expect(keys).toEqual(Array.from({ length: 64 }, (_, i) => `k/${100 + i}`));
  });

  it('passes an error of the consumer of a list on', async () => {
    const { bucket, faulty } = setUp();
    await bucket.put('k', bytes('x'));
    const mine = new StoreError({ kind: 'unavailable', code: 'PS_TEST', message: 'mine' });
    const consume = async (): Promise<void> => {
      for await (const _ of bucket.list({ prefix: '' })) throw mine;
    };
    await expect(consume()).rejects.toBe(mine);
    expect(faulty.callCount).toBe(2);
  });
});
