import { getPriority } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { inlineThread } from '../../support/inline-thread.js';
import { type CallContext, withTransfer } from '../../../src/env/thread-handler.js';
import { startThread, type Thread, type ThreadStart } from '../../../src/env/threads.js';
import type { echoHandlers } from '../../support/threads/echo-thread.js';

type Echo = typeof echoHandlers;
const entry = new URL('../../support/threads/echo-thread.js', import.meta.url);

describe('threads', () => {
  let thread: Thread<Echo> | undefined;
  const start = async (options: Partial<ThreadStart> = {}): Promise<Thread<Echo>> => {
    thread = await startThread<Echo>({ entry, ...options });
    return thread;
  };
  afterEach(async () => {
    await thread?.close();
    thread = undefined;
  });

  it('calls and answers, many at once, each with its own', async () => {
    const t = await start();
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, i) => t.call('echo', { i, big: 2n ** 63n })),
    );
    expect(answers).toEqual(Array.from({ length: 500 }, (_, i) => ({ i, big: 2n ** 63n })));
  });

  it.skipIf(process.platform !== 'linux')('lowers the priority of one thread alone', async () => {
    const t = await start();
    expect(await t.call('yieldToOthers', 15)).toEqual([15, getPriority(process.pid)]);
  });

  it('moves buffers both ways', async () => {
    const t = await start();
    const bytes = new Uint8Array([1, 2, 3]);
    const out = await t.call('double', bytes, { transfer: [bytes.buffer] });
    expect([...out]).toEqual([2, 4, 6]);
    expect(bytes.length).toBe(0);
  });

  it('carries errors with kind, code and details', async () => {
    const t = await start();
    await expect(t.call('fail', { kind: 'limit' })).rejects.toMatchObject({
      name: 'StoreError',
      kind: 'limit',
      code: 'PS_TEST',
      details: { retryAfterMs: 7 },
    });
    await expect(t.call('fail', { kind: 'plain' })).rejects.toMatchObject({
      kind: 'internal',
      message: 'plain',
    });
    await expect(t.call('constructor' as 'echo', 1)).rejects.toMatchObject({
      code: 'PS_THREAD_METHOD',
    });
  });

  it('refuses what cannot be copied without losing its neighbours', async () => {
    const t = await start();
    const bytes = new Uint8Array([5]);
    const [bad, good, moved] = await Promise.allSettled([
      t.call('echo', () => 1),
      t.call('echo', 'good'),
      t.call('double', bytes, { transfer: [bytes.buffer] }),
    ]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { kind: 'internal' } });
    expect(good).toMatchObject({ status: 'fulfilled', value: 'good' });
    expect(moved).toMatchObject({ status: 'fulfilled', value: new Uint8Array([10]) });
    const [badResult, goodResult] = await Promise.allSettled([
      t.call('uncopyable', undefined),
      t.call('echo', 'also good'),
    ]);
    expect(badResult.status).toBe('rejected');
    expect(goodResult).toMatchObject({ status: 'fulfilled', value: 'also good' });
  });

  it('forwards cancellation', async () => {
    const events: string[] = [];
    let onAborted: () => void = () => undefined;
    const aborted = new Promise<void>((resolve) => {
      onAborted = resolve;
    });
    const stop = new AbortController();
    const t = await start({
      onEvent: (name) => {
        events.push(name);
        if (name === 'started') stop.abort();
        if (name === 'aborted') onAborted();
      },
    });
    let onAnswered: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => {
      onAnswered = resolve;
    });
    const call = t.call('hang', undefined, {
      signal: stop.signal,
      onAnswered: () => onAnswered(),
    });
    await expect(call).rejects.toMatchObject({ kind: 'cancelled' });
    // The caller is free at once; the thread is when it has stopped.
    void answered.then(() => events.push('answered'));
    expect(events).not.toContain('answered');
    await aborted;
    await answered;
    expect(events).toEqual(['started', 'aborted', 'answered']);
    const late = t.call('echo', 1, { signal: stop.signal });
    await expect(late).rejects.toMatchObject({ kind: 'cancelled' });
  });

  it('rejects what waits when the thread dies', async () => {
    for (const die of [
      (t: Thread<Echo>) => t.call('exit', 3),
      (t: Thread<Echo>) => t.call('crash', undefined),
    ]) {
      const exits: (StoreError | undefined)[] = [];
      const t = await startThread<Echo>({ entry, onExit: (error) => exits.push(error) });
      const outcomes = await Promise.allSettled([t.call('hang', undefined), die(t)]);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({
          status: 'rejected',
          reason: { kind: 'unavailable', code: 'PS_THREAD_EXIT' },
        });
      }
      expect(t.status).toBe('closed');
      await expect(t.call('echo', 1)).rejects.toMatchObject({ code: 'PS_THREAD_EXIT' });
      await t.close();
      expect(exits).toHaveLength(1);
      expect(exits[0]).toBeInstanceOf(StoreError);
    }
  });

  it('closes once, and tells so', async () => {
    const exits: (StoreError | undefined)[] = [];
    const t = await start({ onExit: (error) => exits.push(error) });
    const closing = t.close();
    expect(t.status).toBe('closing');
    await expect(t.call('echo', 1)).rejects.toMatchObject({ kind: 'closed' });
    await closing;
    await t.close();
    expect(t.status).toBe('closed');
    expect(exits).toEqual([undefined]);
  });

  it('answers what was called before close', async () => {
    const t = await start();
    const answer = t.call('echo', 'last');
    await t.close();
    expect(await answer).toBe('last');
  });

  it('ends a thread that does not close', async () => {
    const t = await start({ data: 'never close', closeMsMax: 50 });
    const waiting = t.call('hang', undefined);
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'PS_THREAD_EXIT' });
    await t.close();
    await outcome;
  });

  it('says why it could not start', async () => {
    await expect(start({ data: 'fail to start' })).rejects.toMatchObject({
      kind: 'corrupt',
      message: 'no start',
    });
    const missing = new URL('./no-such-thread.js', import.meta.url);
    await expect(start({ entry: missing })).rejects.toMatchObject({ code: 'PS_THREAD_EXIT' });
  });
});

describe('inlineThread', () => {
  it('answers like a thread', async () => {
    const events: string[] = [];
    let closings = 0;
    const bytes = new Uint8Array([1]);
    const t = inlineThread(
      {
        moved: () => withTransfer(bytes, [bytes]),
        fail: () => {
          throw new TypeError('plain');
        },
        hang: (_: undefined, { signal, notify }: CallContext) => {
          notify('started', null);
          return new Promise<never>((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new Error('late')));
          });
        },
      },
      {
        onEvent: (name) => events.push(name),
        onClose: async () => {
          closings++;
        },
      },
    );
    expect(await t.call('moved', undefined)).toBe(bytes);
    await expect(t.call('fail', undefined)).rejects.toMatchObject({ kind: 'internal' });
    const stop = new AbortController();
    const hanging = t.call('hang', undefined, { signal: stop.signal });
    setImmediate(() => stop.abort());
    await expect(hanging).rejects.toMatchObject({ kind: 'cancelled' });
    expect(events).toEqual(['started']);
    await t.close();
    await t.close();
    expect(closings).toBe(1);
    await expect(t.call('moved', undefined)).rejects.toMatchObject({ kind: 'closed' });
  });
});
