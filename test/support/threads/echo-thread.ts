import { StoreError } from '../../../src/base/errors.js';
import { type CallContext, serveThread, withTransfer } from '../../../src/env/thread-handler.js';
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
