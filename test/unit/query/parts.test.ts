import { describe, expect, it } from 'vitest';
import { WeightedCache } from '../../../src/query/cache.js';
import { QueryGate } from '../../../src/query/gate.js';
import { mapInOrder } from '../../../src/query/ordered.js';

const never = new AbortController().signal;
const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let done = false;
  const mark = (): void => {
    done = true;
  };
  promise.then(mark, mark);
  for (let i = 0; i < 10; i++) await Promise.resolve();
  return done;
};

describe('WeightedCache', () => {
  it('shares a load, evicts what was used least recently, and forgets failures', async () => {
    const cache = new WeightedCache(100);
    let loads = 0;
    const load = (value: string) => async () => {
      loads++;
      return { value, sizeBytes: 40 };
    };
    expect(await Promise.all([cache.get('a', load('a')), cache.get('a', load('x'))])).toEqual([
      'a',
      'a',
    ]);
    expect(loads).toBe(1);
    await cache.get('b', load('b'));
    await cache.get('a', load('x'));
    await cache.get('c', load('c'));
    expect(cache.sizeBytes).toBe(80);
    expect(await cache.peek('b')).toBeUndefined();
    expect(await cache.peek('a')).toBe('a');
    await expect(cache.get('d', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await cache.get('d', load('d'))).toBe('d');
    expect(cache.sizeBytes).toBe(80);
    // What is too heavy to keep evicts nothing.
    cache.put('huge', { value: 1, sizeBytes: 1_000 });
    expect(cache.sizeBytes).toBe(80);
    expect(await cache.peek('huge')).toBeUndefined();
  });
});

describe('QueryGate (I6, I7)', () => {
  it('admits in order, a tenant no more than half while others wait', async () => {
    const gate = new QueryGate(2, 3);
    const first = await gate.enter('a', never);
    const second = await gate.enter('a', never);
    const third = gate.enter('a', never);
    const other = gate.enter('b', never);
    expect(await settled(Promise.race([third, other]))).toBe(false);
    first();
    const leaveOther = await other;
    expect(await settled(third)).toBe(false);
    second();
    (await third)();
    leaveOther();
  });

  it('refuses when too many wait, and lets a cancelled one go', async () => {
    const gate = new QueryGate(1, 1);
    const leave = await gate.enter('a', never);
    const stop = new AbortController();
    const waiting = gate.enter('a', stop.signal);
    await expect(gate.enter('a', never)).rejects.toMatchObject({
      code: 'PS_QUERY_BUSY',
      kind: 'limit',
    });
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ kind: 'cancelled' });
    await expect(gate.enter('a', stop.signal)).rejects.toMatchObject({ kind: 'cancelled' });
    const next = gate.enter('a', never);
    leave();
    (await next)();
  });
});

describe('mapInOrder', () => {
  it('takes results in order, a few at a time', async () => {
    let running = 0;
    let most = 0;
    const out: number[] = [];
    const work = async (item: number): Promise<number> => {
      most = Math.max(most, ++running);
      for (let i = 0; i < (item * 7) % 5; i++) await Promise.resolve();
      running--;
      return item;
    };
    await mapInOrder([1, 2, 3, 4, 5, 6, 7], 3, work, (item) => out.push(item));
    expect(out).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(3);
  });

  it('throws the first failure after all that runs has ended', async () => {
    const started: number[] = [];
    const work = async (item: number): Promise<void> => {
      started.push(item);
      await Promise.resolve();
      if (item === 1) throw new Error('one');
    };
    await expect(mapInOrder([0, 1, 2, 3, 4, 5], 2, work, () => undefined)).rejects.toThrow('one');
    expect(started.length).toBeLessThan(6);
  });
});
