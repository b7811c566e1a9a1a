import { availableParallelism } from 'node:os';
import {
  isMainThread,
  type MessagePort,
  parentPort,
  type ResourceLimits,
  Worker,
  workerData,
} from 'node:worker_threads';
import { assert } from '../base/assert.js';
import { errorFromValue, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Handlers, Transferred } from './thread-handler.js';
import { threadEntry } from './thread-entry.js';
import { type FromThread, Outbox, type ToThread, type Transferable } from './thread-messages.js';

/**
 * Calls between threads: a thread serves methods (`serveThread`), its owner calls them (`startThread`). Arguments and
 * results are copied (structured clone) or moved (transfer), errors arrive as StoreErrors of the same kind and code.
 */
export interface Thread<H extends Handlers> {
  readonly status: 'open' | 'closing' | 'closed';
  /**
   * Rejects with what the handler threw; `cancelled` as soon as the signal aborts (the handler's aborts too);
   * `unavailable` PS_THREAD_EXIT if the thread ends before it answered; `closed` after `close`; `limit` PS_THREAD_BUSY
   * with too many calls waiting.
   */
  call<K extends keyof H & string>(
    method: K,
    args: Parameters<H[K]>[0],
    options?: ThreadCallOptions,
  ): Promise<ResultOf<H[K]>>;
  /** Lets the thread end by itself (ServeOptions.onClose), and ends it after `closeMsMax`. */
  close(): Promise<void>;
}

export type ResultOf<F extends (...args: never[]) => unknown> =
  Awaited<ReturnType<F>> extends Transferred<infer T> ? T : Awaited<ReturnType<F>>;

export interface ThreadCallOptions {
  /** Buffers of the arguments that move to the thread. */
  readonly transfer?: readonly Transferable[];
  readonly signal?: AbortSignal | undefined;
  /** Called once when the thread has answered or will not: later than the rejection of a call that was cancelled. */
  readonly onAnswered?: (() => void) | undefined;
}

export interface ThreadStart {
  /** A module that calls `serveThread`. */
  readonly entry: URL;
  /** For `ownThread().data`. */
  readonly data?: unknown;
  /** For people: debuggers and error messages. Default: the file name. */
  readonly name?: string;
  readonly resourceLimits?: ResourceLimits;
  /** What the thread told with `notify`. */
  readonly onEvent?: (name: string, value: unknown) => void;
  /** Called once when the thread has ended; `error` unless it was closed. */
  readonly onExit?: (error: StoreError | undefined) => void;
  /** Default 30 s. */
  readonly closeMsMax?: number;
}

const CLOSE_MS_MAX = 30_000;

/**
 * What is about the text of a program given on the command line (`node --input-type=module -e …`) would be taken to be
 * about a thread's. Such a process's threads inherit nothing: Node refuses lists that name options of the whole process.
 */
const TEXT_OPTION = /^(?:-e|-p|-pe|--(?:eval|print|input-type)(?:=.*)?)$/;

function inheritsArguments(): boolean {
  return !process.execArgv.some((argument) => TEXT_OPTION.test(argument));
}

/** Starts a thread and waits until it serves. Rejects with the error of its start. */
export async function startThread<H extends Handlers>(options: ThreadStart): Promise<Thread<H>> {
  const thread = new WorkerThread<H>(options);
  await thread.ready;
  return thread;
}

/** Inside a thread: what `startThread` gave it. */
export function ownThread(): { readonly port: MessagePort; readonly data: unknown } {
  assert(!isMainThread && parentPort !== null, 'ownThread() outside of a thread');
  return { port: parentPort, data: workerData };
}

/** Threads that can run at once. */
export function coreCount(): number {
  return availableParallelism();
}

export function cancelledCall(): StoreError {
  return new StoreError({
    kind: 'cancelled',
    code: 'PS_CANCELLED',
    message: 'the call was cancelled',
  });
}

export function closedThread(name: string): StoreError {
  return new StoreError({
    kind: 'closed',
    code: 'PS_THREAD_CLOSED',
    message: `cannot call thread ${name}: got a closed thread; want an open one`,
  });
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: StoreError) => void;
  /** Ends listening to the caller's signal. */
  readonly release: (() => void) | undefined;
}

class WorkerThread<H extends Handlers> implements Thread<H> {
  status: 'open' | 'closing' | 'closed' = 'open';
  readonly ready: Promise<void>;
  readonly #options: ThreadStart;
  readonly #name: string;
  readonly #worker: Worker;
  readonly #out: Outbox<ToThread>;
  readonly #waiting = new Map<number, Waiting>();
  /** Of calls that the thread has not answered, cancelled ones too. */
  readonly #onAnswered = new Map<number, () => void>();
  readonly #ended: Promise<void>;
  #closed: Promise<void> | undefined;
  #nextId = 1;
  #failure: unknown;
  #settleReady: { resolve: () => void; reject: (error: StoreError) => void } | undefined;

  constructor(options: ThreadStart) {
    this.#options = options;
    this.#name =
      options.name ?? options.entry.pathname.slice(options.entry.pathname.lastIndexOf('/') + 1);
    this.#worker = new Worker(threadEntry(options.entry), {
      workerData: options.data,
      name: this.#name,
      ...(inheritsArguments() ? {} : { execArgv: [] }),
      ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
    });
    this.#out = new Outbox<ToThread>(this.#worker, (message, error) => {
      if (message.t !== 'call') return;
      this.#settle(message.id)?.reject(StoreError.from(error));
      this.#answered(message.id);
    });
    this.ready = new Promise<void>((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    this.#worker.on('message', (messages: readonly FromThread[]) => {
      for (const message of messages) this.#receive(message);
    });
    this.#worker.on('error', (error) => {
      this.#failure = error;
    });
    this.#worker.on('messageerror', (error) => {
      this.#failure = error;
      void this.#worker.terminate();
    });
    this.#ended = new Promise<void>((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#end(code);
        resolve();
      });
    });
  }

  call<K extends keyof H & string>(
    method: K,
    args: Parameters<H[K]>[0],
    options: ThreadCallOptions = {},
  ): Promise<ResultOf<H[K]>> {
    const refusal = this.#refusal(options.signal);
    if (refusal !== undefined) {
      options.onAnswered?.();
      return Promise.reject(refusal);
    }
    const id = this.#nextId++;
    return new Promise<ResultOf<H[K]>>((resolve, reject) => {
      const { signal } = options;
      let release: (() => void) | undefined;
      if (signal !== undefined) {
        const onAbort = (): void => {
          this.#settle(id)?.reject(cancelledCall());
          this.#out.post({ t: 'cancel', id });
        };
        signal.addEventListener('abort', onAbort, { once: true });
        release = () => signal.removeEventListener('abort', onAbort);
      }
      this.#waiting.set(id, { resolve, reject, release });
      if (options.onAnswered !== undefined) this.#onAnswered.set(id, options.onAnswered);
      this.#out.post({ t: 'call', id, method, args }, options.transfer);
    });
  }

  #refusal(signal: AbortSignal | undefined): StoreError | undefined {
    if (signal?.aborted === true) return cancelledCall();
    if (this.status === 'closed' && this.#closed === undefined) return this.#exitError(0);
    if (this.status !== 'open') return closedThread(this.#name);
    if (this.#waiting.size < LIMITS.threadCallsMax) return undefined;
    return new StoreError({
      kind: 'limit',
      code: 'PS_THREAD_BUSY',
      message: `cannot call thread ${this.#name}: got ${this.#waiting.size} waiting calls; want fewer`,
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.status === 'closed') return;
    this.status = 'closing';
    this.#out.post({ t: 'close' });
    this.#out.flush();
    const limitMs = this.#options.closeMsMax ?? CLOSE_MS_MAX;
    const timer = setTimeout(() => void this.#worker.terminate(), limitMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #receive(message: FromThread): void {
    switch (message.t) {
      case 'ready':
        this.#settleReady?.resolve();
        break;
      case 'failed':
        this.#failure = errorFromValue(message.error);
        // It may have left something open that would keep it alive.
        void this.#worker.terminate();
        break;
      case 'result':
        this.#settle(message.id)?.resolve(message.value as never);
        this.#answered(message.id);
        break;
      case 'error':
        this.#settle(message.id)?.reject(errorFromValue(message.error));
        this.#answered(message.id);
        break;
      case 'event':
        this.#options.onEvent?.(message.name, message.value);
        break;
    }
  }

  #answered(id: number): void {
    const tell = this.#onAnswered.get(id);
    this.#onAnswered.delete(id);
    tell?.();
  }

  /** undefined for a call that was cancelled. */
  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.release?.();
    return waiting;
  }

  #end(code: number): void {
    const wasClosed = this.status === 'closing';
    this.status = 'closed';
    const error = this.#failure instanceof StoreError ? this.#failure : this.#exitError(code);
    this.#settleReady?.reject(error);
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(this.#exitError(code));
    for (const id of [...this.#onAnswered.keys()]) this.#answered(id);
    this.#options.onExit?.(wasClosed && this.#failure === undefined ? undefined : error);
  }

  #exitError(exitCode: number): StoreError {
    const reason =
      this.#failure instanceof Error ? this.#failure.message : `its end with code ${exitCode}`;
    return new StoreError({
      kind: 'unavailable',
      code: 'PS_THREAD_EXIT',
      message: `cannot call thread ${this.#name}: got ${reason}; want a running thread`,
      details: { thread: this.#name, exitCode },
      cause: this.#failure,
    });
  }
}
