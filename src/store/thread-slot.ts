import { StoreError } from '../base/errors.js';
import type { Handlers } from '../env/thread-handler.js';
import { startThread, type Thread, type ThreadStart } from '../env/threads.js';

/** V8's default young generation grows to three times 16 MB in each thread; profiles are decoded outside of it. */
export const THREAD_LIMITS = { maxYoungGenerationSizeMb: 16 };

/** A thread that is started when it is first needed, and again when it has died. */
export class ThreadSlot<H extends Handlers> {
  readonly #start: ThreadStart;
  #thread: Promise<Thread<H>> | undefined;
  #open: Thread<H> | undefined;
  #isClosed = false;

  constructor(start: ThreadStart) {
    this.#start = start;
  }

  async get(): Promise<Thread<H>> {
    if (this.#isClosed) throw closedStore();
    const known = this.#thread;
    if (known !== undefined) {
      const thread = await known;
      if (thread.status === 'open') return thread;
      if (this.#thread === known) this.#thread = undefined;
      return this.get();
    }
    const starting = startThread<H>(this.#start);
    this.#thread = starting;
    starting.then(
      (thread) => {
        if (this.#thread === starting) this.#open = thread;
      },
      () => {
        if (this.#thread === starting) this.#thread = undefined;
      },
    );
    return await starting;
  }

  /** The thread, if it is there already. */
  get open(): Thread<H> | undefined {
    return this.#open?.status === 'open' ? this.#open : undefined;
  }

  get isStarted(): boolean {
    return this.#thread !== undefined;
  }

  /** Ends the thread, giving its memory back; the next `get` starts another. */
  async rest(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    this.#open = undefined;
    await (await thread?.catch(() => undefined))?.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.rest();
  }
}

export function closedStore(): StoreError {
  return new StoreError({
    kind: 'closed',
    code: 'PS_STORE_CLOSED',
    message: 'cannot use store: got a closed one; want an open one',
  });
}
