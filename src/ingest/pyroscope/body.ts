import type { Label } from '../../model/labels.js';

/** How the body of `POST /ingest` is written. */
export type PyroscopeFormat = 'pprof' | 'jfr' | 'speedscope' | 'trie' | 'tree' | 'lines' | 'folded';

/** What the query string of `POST /ingest` says; plain values, so that it goes to another thread as it is. */
export interface PyroscopeQuery {
  /** `name` up to its `{`. Not empty. */
  readonly appName: string;
  /** Those in the braces of `name`. */
  readonly labels: readonly Label[];
  /** `__session_id__`: `WriteRequest.writer`. */
  readonly writer?: string;
  readonly format: PyroscopeFormat;
  /** Unix; absent when the sender said nothing. */
  readonly fromNs?: bigint;
  readonly untilNs?: bigint;
  /** Samples a second, 1 or more. */
  readonly sampleRate: number;
  /** Who sampled: `gospy`, `javaspy`, ... */
  readonly spyName: string;
}

/** A request of `POST /ingest`, its body untouched. */
export interface PyroscopeBody {
  readonly query: PyroscopeQuery;
  readonly contentType: string;
  /** As it came: gzip or plain. The callee may keep it. */
  readonly body: Uint8Array;
}
