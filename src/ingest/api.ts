import type { LogPosition } from '../log/segment-view.js';
import type { Label } from '../model/labels.js';
import type { Temporality } from '../model/series.js';
import type { PyroscopeBody } from './pyroscope/body.js';

/** One profile to store; the library's form of `WriteProfileRequest`. */
export interface WriteRequest {
  readonly labels: readonly Label[];
  /** pprof, gzip or plain. The callee may keep it; the caller must not change it. */
  readonly profile: Uint8Array;
  /** The same id again for the same series and start changes nothing and succeeds. */
  readonly profileId?: string;
  /** Tells apart processes with the same labels: equal profiles of two of them are two. No part of the series. */
  readonly writer?: string;
  /** Absent: by the table of known types (model/temporality.ts). */
  readonly temporality?: Temporality;
  /** Unix: the start of a profile that carries none. Absent: the time of receipt. */
  readonly fallbackStartNs?: bigint;
}

/** A body that is not one pprof: the write side makes profiles of it. Each product adds its form (src/ingest/<product>/). */
export type ForeignBody = PyroscopeBody;

/** What was dropped of a profile that was otherwise stored, and why. */
export interface Rejection {
  /** Stable `PS_...` code. */
  readonly reason: string;
  readonly count: number;
  readonly message: string;
}

export interface WriteResult {
  readonly profileId: string;
  /** Stored: one per sample type; 0 when all of it was there already. */
  readonly profiles: number;
  /** Non-zero values stored, counted for each sample type. */
  readonly samples: number;
  readonly rejections: readonly Rejection[];
}

/** The write side. Every method throws StoreError. */
export interface IngestApi {
  /** Resolves when the profile is durable and readable. */
  write(tenantId: string, request: WriteRequest): Promise<WriteResult>;
  /** The same for the bytes of a `basalt.v1.WriteProfileRequest`, which nothing has parsed yet. */
  writeEncoded(tenantId: string, request: Uint8Array): Promise<WriteResult>;
  /** Stores what a body of another product holds, one result a profile; the first error fails the call, not the rest. */
  writeForeign(tenantId: string, body: ForeignBody): Promise<readonly WriteResult[]>;
  position(): Promise<LogPosition>;
  /** Seals the open segment if it has anything in it; what was written before is then in sealed segments only. */
  seal(): Promise<LogPosition>;
  /** Tells that `tenantId` has consumed segments up to `sequence`: segments that every tenant consumed are deleted. */
  consumed(tenantId: string, sequence: number): Promise<void>;
  /** Tells that the tenant's manifest has a new tombstone: what it covers may be sent again. */
  deleted(tenantId: string): Promise<void>;
  close(): Promise<void>;
}
