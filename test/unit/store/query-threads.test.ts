import { describe, expect, it } from 'vitest';
import { pickThread } from '../../../src/store/query-threads.js';

const thread = (running: Record<string, number>) => ({ running: new Map(Object.entries(running)) });

describe('the thread for a query', () => {
  it('is the first while one tenant asks', () => {
    const threads = [thread({ a: 5 }), thread({})];
    expect(pickThread(threads, 'a')).toBe(threads[0]);
    expect(pickThread([thread({}), thread({})], 'a').running.size).toBe(0);
  });

  it('is one that no other tenant uses, if there is one', () => {
    const threads = [thread({ a: 1 }), thread({})];
    expect(pickThread(threads, 'b')).toBe(threads[1]);
    const busy = [thread({ a: 1 }), thread({ b: 7 })];
    expect(pickThread(busy, 'a')).toBe(busy[0]);
    expect(pickThread(busy, 'b')).toBe(busy[1]);
  });

  it('is else the one with the fewest queries of others', () => {
    const threads = [thread({ a: 2, c: 1 }), thread({ b: 2 })];
    expect(pickThread(threads, 'c')).toBe(threads[0]);
    expect(pickThread(threads, 'd')).toBe(threads[1]);
  });
});
