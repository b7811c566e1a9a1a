import { readFileSync } from 'node:fs';
import { StoreError } from '../../../src/base/errors.js';
import { type CallContext, serveThread, withTransfer } from '../../../src/env/thread-handler.js';
import { yieldToOtherThreads } from '../../../src/env/thread-priority.js';
import { ownThread } from '../../../src/env/threads.js';

/** The thread of test/unit/env/threads.test.ts and bench/threads.bench.ts. */
export const echoHandlers = {
  echo: (value: unknown) => value,
  double: async (bytes: Uint8Array) => {
    const out = new Uint8Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) out[i] = 2 * (bytes[i] as number);
    return withTransfer(out, [out]);
  },
  fail: (what: { kind: 'limit' | 'plain' }) => {
    if (what.kind === 'plain') throw new TypeError('plain');
    throw new StoreError({
      kind: 'limit',
      code: 'PS_TEST',
      message: 'too much',
      details: { retryAfterMs: 7 },
    });
  },
  /** Says when it started, then waits until it is cancelled. */
  hang: (_: undefined, { signal, notify }: CallContext) => {
    notify('started', null);
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        notify('aborted', null);
        reject(new DOMException('aborted', 'AbortError'));
      });
    });
  },
  /** The priority of this thread and of the process's first one: field 19 of `stat`. */
  yieldToOthers: (niceness: number): number[] => {
    yieldToOtherThreads(niceness);
    return ['thread-self', 'self'].map((name) => {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
    });
  },
  uncopyable: () => () => 1,
  exit: (code: number) => process.exit(code),
  crash: () => {
    setImmediate(() => {
      throw new Error('crashed on purpose');
    });
    return new Promise<never>(() => undefined);
  },
};

const { port, data } = ownThread();
await serveThread(
  port,
  data === 'fail to start'
    ? Promise.reject(new StoreError({ kind: 'corrupt', code: 'PS_TEST', message: 'no start' }))
    : echoHandlers,
  {
    onClose: async () => {
      if (data === 'never close') await new Promise(() => setInterval(() => undefined, 1_000));
    },
  },
);
