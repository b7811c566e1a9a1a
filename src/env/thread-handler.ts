import type { MessagePort } from 'node:worker_threads';
import { errorToValue, StoreError } from '../base/errors.js';
import { type FromThread, Outbox, type ToThread, type Transferable } from './thread-messages.js';

export interface CallContext {
  /** Aborts when the caller gave up. */
  readonly signal: AbortSignal;
  /** Tells something to the owner, at any time. */
  readonly notify: Notify;
}

export type Notify = (name: string, value: unknown, transfer?: readonly Transferable[]) => void;

/** Answers calls by name. The result is copied to the caller; see `withTransfer`. */
// biome-ignore lint/suspicious/noExplicitAny: each handler has its own argument type, as function parameters demand
export type Handler = (args: any, context: CallContext) => unknown;
export type Handlers = Readonly<Record<string, Handler>>;

/** A result with buffers that move to the caller in place of being copied; the handler must not use them again. */
export class Transferred<T> {
  readonly value: T;
  readonly transfer: readonly Transferable[];

  constructor(value: T, transfer: readonly Transferable[]) {
    this.value = value;
    this.transfer = transfer;
  }
}

/** Moves the buffers under `arrays`. Each array must be alone in its buffer. */
export function withTransfer<T>(value: T, arrays: readonly ArrayBufferView[]): Transferred<T> {
  return new Transferred(value, buffersOf(arrays));
}

function buffersOf(arrays: readonly ArrayBufferView[]): Transferable[] {
  const buffers = new Set<Transferable>();
  for (const { buffer } of arrays) if (buffer instanceof ArrayBuffer) buffers.add(buffer);
  return [...buffers];
}

export interface ServeOptions {
  /** Runs once when the owner closes the thread, after it stopped calling. Calls that are running are answered before the end. */
  readonly onClose?: () => Promise<void>;
}

/**
 * Answers the owner's calls until it closes the thread. `handlers` may be a promise, for a start that takes time: calls
 * wait for it, and if it rejects, `startThread` does with the same error.
 */
export async function serveThread(
  port: MessagePort,
  handlers: Handlers | Promise<Handlers>,
  options: ServeOptions = {},
): Promise<void> {
  const server = new ThreadServer(port, options);
  await server.start(handlers);
}

/** Its signal is made when it is first asked for: most calls are writes, which cannot be cancelled. */
class RunningCall implements CallContext {
  readonly notify: Notify;
  #controller: AbortController | undefined;
  #isAborted = false;

  constructor(notify: Notify) {
    this.notify = notify;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isAborted) this.#controller.abort();
    return this.#controller.signal;
  }

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }
}

class ThreadServer {
  readonly #port: MessagePort;
  readonly #options: ServeOptions;
  readonly #out: Outbox<FromThread>;
  readonly #running = new Map<number, RunningCall>();
  readonly #answering = new Set<Promise<void>>();
  #handlers: Handlers = {};

  constructor(port: MessagePort, options: ServeOptions) {
    this.#port = port;
    this.#options = options;
    this.#out = new Outbox<FromThread>(port, (message, error) => this.#refused(message, error));
  }

  async start(handlers: Handlers | Promise<Handlers>): Promise<void> {
    try {
      this.#handlers = await handlers;
    } catch (error) {
      this.#out.post({ t: 'failed', error: errorToValue(error) });
      this.#out.flush();
      this.#port.close();
      return;
    }
    this.#port.on('message', (messages: readonly ToThread[]) => {
      for (const message of messages) this.#receive(message);
    });
    this.#out.post({ t: 'ready' });
  }

  #receive(message: ToThread): void {
    switch (message.t) {
      case 'call':
        this.#track(this.#answer(message.id, message.method, message.args));
        break;
      case 'cancel':
        this.#running.get(message.id)?.abort();
        break;
      case 'close':
        void this.#close();
        break;
    }
  }

  #track(answering: Promise<void>): void {
    this.#answering.add(answering);
    void answering.then(() => this.#answering.delete(answering));
  }

  /** Never rejects. */
  async #answer(id: number, method: string, args: unknown): Promise<void> {
    const context = new RunningCall(this.#notify);
    this.#running.set(id, context);
    try {
      if (!Object.hasOwn(this.#handlers, method)) throw noMethod(method);
      const handler = this.#handlers[method] as Handler;
      const result = await handler(args, context);
      if (result instanceof Transferred) {
        this.#out.post({ t: 'result', id, value: result.value }, result.transfer);
      } else {
        this.#out.post({ t: 'result', id, value: result });
      }
    } catch (error) {
      this.#out.post({ t: 'error', id, error: errorToValue(error) });
    } finally {
      this.#running.delete(id);
    }
  }

  readonly #notify: Notify = (name, value, transfer) => {
    this.#out.post({ t: 'event', name, value }, transfer);
  };

  #refused(message: FromThread, error: unknown): void {
    if (message.t === 'result') {
      this.#out.post({ t: 'error', id: message.id, error: errorToValue(error) });
    } else if (message.t === 'event') {
      // A mistake of ours that nobody waits for: end the thread, so that it is seen.
      throw error;
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#options.onClose?.();
    } finally {
      await Promise.all(this.#answering);
      this.#out.flush();
      this.#port.close();
    }
  }
}

function noMethod(method: string): StoreError {
  return new StoreError({
    kind: 'internal',
    code: 'PS_THREAD_METHOD',
    message: `cannot call ${method}: got no such method of the thread; want one`,
  });
}
