import { StoreError } from '../../src/base/errors.js';
import {
  type CallContext,
  type Handlers,
  type ServeOptions,
  Transferred,
} from '../../src/env/thread-handler.js';
import {
  cancelledCall,
  closedThread,
  type ResultOf,
  type Thread,
  type ThreadCallOptions,
} from '../../src/env/threads.js';

export interface InlineOptions extends ServeOptions {
  readonly onEvent?: (name: string, value: unknown) => void;
}

/**
 * The seam of `startThread` without a thread: handlers run on the caller's, arguments and results are handed over as
 * they are. For `threads: false` and for simulations.
 */
export function inlineThread<H extends Handlers>(
  handlers: H,
  options: InlineOptions = {},
): Thread<H> {
  return new InlineThread(handlers, options);
}

class InlineThread<H extends Handlers> implements Thread<H> {
  status: 'open' | 'closing' | 'closed' = 'open';
  readonly #handlers: H;
  readonly #options: InlineOptions;
  #closed: Promise<void> | undefined;

  constructor(handlers: H, options: InlineOptions) {
    this.#handlers = handlers;
    this.#options = options;
  }

  async call<K extends keyof H & string>(
    method: K,
    args: Parameters<H[K]>[0],
    options: ThreadCallOptions = {},
  ): Promise<ResultOf<H[K]>> {
    if (options.signal?.aborted === true) throw cancelledCall();
    if (this.status !== 'open') throw closedThread('inline');
    const controller = new AbortController();
    const context: CallContext = {
      signal: controller.signal,
      notify: (name, value) => this.#options.onEvent?.(name, value),
    };
    // The handler starts in a later microtask, as a thread's would start after the call returned.
    const running = Promise.resolve().then(() => this.#handlers[method]?.(args, context));
    const result = await untilAborted(running, options.signal, controller).catch((error) => {
      throw StoreError.from(error);
    });
    return (result instanceof Transferred ? result.value : result) as ResultOf<H[K]>;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.status = 'closing';
    try {
      await this.#options.onClose?.();
    } finally {
      this.status = 'closed';
    }
  }
}

function untilAborted<T>(
  running: Promise<T>,
  signal: AbortSignal | undefined,
  controller: AbortController,
): Promise<T> {
  if (signal === undefined) return running;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => {
      controller.abort();
      reject(cancelledCall());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    running.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
