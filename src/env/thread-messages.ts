import type { ErrorValue } from '../base/errors.js';

/**
 * What goes between a thread and its owner. Each posted message is an array of these: all that was said within one
 * turn, because waking the other thread costs more than the copy (docs/adr of threads has the numbers).
 */
export type ToThread =
  | { readonly t: 'call'; readonly id: number; readonly method: string; readonly args: unknown }
  | { readonly t: 'cancel'; readonly id: number }
  | { readonly t: 'close' };

export type FromThread =
  | { readonly t: 'ready' }
  /** It could not start. */
  | { readonly t: 'failed'; readonly error: ErrorValue }
  | { readonly t: 'result'; readonly id: number; readonly value: unknown }
  | { readonly t: 'error'; readonly id: number; readonly error: ErrorValue }
  | { readonly t: 'event'; readonly name: string; readonly value: unknown };

export type Transferable = ArrayBuffer;

interface Port {
  postMessage(value: unknown, transfer: readonly Transferable[]): void;
}

/** Collects messages and posts them as one. */
export class Outbox<M> {
  readonly #port: Port;
  /** Told of a message that cannot be copied to another thread; it was not sent. */
  readonly #onRefused: (message: M, error: unknown) => void;
  #messages: M[] = [];
  #transfer: Transferable[] = [];
  #transferOf: (readonly Transferable[])[] = [];
  #isScheduled = false;

  constructor(port: Port, onRefused: (message: M, error: unknown) => void) {
    this.#port = port;
    this.#onRefused = onRefused;
  }

  post(message: M, transfer: readonly Transferable[] = []): void {
    this.#messages.push(message);
    this.#transferOf.push(transfer);
    for (const buffer of transfer) this.#transfer.push(buffer);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.flush());
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    const transferOf = this.#transferOf;
    const transfer = this.#transfer;
    this.#messages = [];
    this.#transferOf = [];
    this.#transfer = [];
    try {
      this.#port.postMessage(messages, transfer);
    } catch {
      // One of them cannot be copied, and nothing was sent or transferred: find it.
      messages.forEach((message, i) => {
        try {
          this.#port.postMessage([message], transferOf[i] ?? []);
        } catch (error) {
          this.#onRefused(message, error);
        }
      });
    }
  }
}
