import { Session } from 'node:inspector/promises';
import { StoreError } from '../base/errors.js';

/**
 * The V8 inspector of every thread of this process, reached from the main thread: its own session, and through the
 * NodeWorker domain one for each worker. So workers need no code of their own to be profiled.
 */
export interface V8Target {
  /** `main`, or the worker's name. */
  readonly thread: string;
  /** Calls a method of the Chrome DevTools protocol. Rejects with `closed` when the thread ended. */
  post(method: string, parameters?: object): Promise<unknown>;
}

interface PendingCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface WorkerMessage {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message?: string };
}

class WorkerTarget implements V8Target {
  readonly thread: string;
  private readonly session: Session;
  private readonly sessionId: string;
  private readonly pending = new Map<number, PendingCall>();
  private lastId = 0;
  private detached = false;

  constructor(session: Session, sessionId: string, thread: string) {
    this.session = session;
    this.sessionId = sessionId;
    this.thread = thread;
  }

  async post(method: string, parameters: object = {}): Promise<unknown> {
    if (this.detached) throw threadEnded(this.thread);
    this.lastId += 1;
    const id = this.lastId;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
    });
    const sent = this.session.post('NodeWorker.sendMessageToWorker', {
      sessionId: this.sessionId,
      message: JSON.stringify({ id, method, params: parameters }),
    });
    sent.catch((error: unknown) => this.settle(id, (call) => call.reject(error)));
    return await answer;
  }

  receive(text: string): void {
    const message = JSON.parse(text) as WorkerMessage;
    // Without an id it is an event, of which none is asked for.
    if (message.id === undefined) return;
    this.settle(message.id, (call) => {
      if (message.error === undefined) call.resolve(message.result);
      else call.reject(inspectorError(message.error.message ?? 'an error'));
    });
  }

  detach(): void {
    this.detached = true;
    for (const id of [...this.pending.keys()]) {
      this.settle(id, (call) => call.reject(threadEnded(this.thread)));
    }
  }

  private settle(id: number, use: (call: PendingCall) => void): void {
    const call = this.pending.get(id);
    this.pending.delete(id);
    if (call !== undefined) use(call);
  }
}

export interface V8Sessions {
  close(): void;
}

/**
 * Calls `attached` for the main thread and for each worker, those of later included. Throws `unavailable`
 * PS_SELF_PROFILE where this Node has no inspector.
 */
export async function openV8Sessions(attached: (target: V8Target) => void): Promise<V8Sessions> {
  const session = new Session();
  const workers = new Map<string, WorkerTarget>();
  session.on('NodeWorker.attachedToWorker', ({ params }) => {
    const thread = workerName(params.workerInfo.title, params.workerInfo.workerId);
    const target = new WorkerTarget(session, params.sessionId, thread);
    workers.set(params.sessionId, target);
    attached(target);
  });
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
    workers.get(params.sessionId)?.receive(params.message);
  });
  session.on('NodeWorker.detachedFromWorker', ({ params }) => {
    workers.get(params.sessionId)?.detach();
    workers.delete(params.sessionId);
  });
  try {
    session.connect();
    attached({ thread: 'main', post: (method, parameters) => session.post(method, parameters) });
    await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  } catch (error) {
    throw inspectorError(error instanceof Error ? error.message : String(error), error);
  }
  return {
    close() {
      for (const worker of workers.values()) worker.detach();
      workers.clear();
      session.disconnect();
    },
  };
}

/** `[worker 3] ingest` of a named worker, `[worker 3]` or `Worker 3` of one without a name. */
export function workerName(title: string, workerId: string): string {
  const name = title.replace(/^\[?worker \d+\]?\s*/i, '').trim();
  return name === '' ? `worker-${workerId}` : name.slice(0, 64);
}

function inspectorError(got: string, cause?: unknown): StoreError {
  return new StoreError({
    kind: 'unavailable',
    code: 'PS_SELF_PROFILE',
    message: `cannot profile this process: got ${got}; want a working node:inspector`,
    ...(cause === undefined ? {} : { cause }),
  });
}

function threadEnded(thread: string): StoreError {
  return new StoreError({
    kind: 'closed',
    code: 'PS_SELF_PROFILE',
    message: `cannot profile thread ${thread}: got its end; want it running`,
  });
}
