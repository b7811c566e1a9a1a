/**
 * Fills one commit: rows, profiles, and what of series, metadata and symbols is new in the segment. The memory of its
 * columns is used again for the next commit.
 */
import { assert } from '../base/assert.js';
import { releaseMemoryOf } from '../env/release-memory.js';
import { type TableInput, encodePayload } from '../log/commit-codec.js';
import {
  FRAMES,
  KEYS,
  LABEL_SETS,
  METADATA,
  NODES,
  PROFILES,
  SAMPLES,
  SERIES,
  STRINGS,
} from '../log/commit-schema.js';
import { PROFILE_INCOMPLETE } from '../log/segment-view.js';
import type { IndexAddition, IndexSeries } from '../log/segment-index.js';
import { Interner } from '../symbols/intern-pprof.js';
import { type NewSymbols, SegmentSymbols } from '../symbols/intern-segment.js';
import { RowColumns, type RowCounts, type SampleSource } from './row-columns.js';
import type { SeriesState } from './series-registry.js';

/** One profile of one series, but for its rows. */
export interface ProfileEntry {
  readonly series: SeriesState;
  readonly startNs: bigint;
  readonly durationNs: bigint;
  readonly period: bigint;
  readonly flags: number;
  readonly id: string;
  /** `metadataText`. */
  readonly metadata: string;
}

export interface EncodedCommit {
  readonly payload: Uint8Array[];
  readonly addition: IndexAddition;
}

const ROW_BYTES = 36;
const PROFILE_BYTES = 96;

export class CommitBuilder {
  interner = new Interner();
  #symbols = new SegmentSymbols(this.interner);
  readonly #rows = new RowColumns();
  #serial = 0;
  #seriesCount = 0;
  readonly #newSeries: IndexSeries[] = [];
  readonly #newMetadata: string[] = [];
  /** Numbers of the segment's metadata texts; 0 is none. */
  readonly #metadata = new Map<string, number>([['', 0]]);
  #profiles: (ProfileEntry & { readonly rows: number; readonly metadataNumber: number })[] = [];

  get profileCount(): number {
    return this.#profiles.length;
  }

  /** About what the commit will take. */
  get sizeBytes(): number {
    return (
      this.#rows.length * ROW_BYTES +
      this.#profiles.length * PROFILE_BYTES +
      this.#symbols.sizeBytes
    );
  }

  /** True when the tables are to be dropped at the next start of a segment. */
  isFull(internBytesMax: number): boolean {
    const { sizeBytes, tables } = this.interner;
    const isUseless = tables.isBroken || tables.isOversized;
    return isUseless || sizeBytes > internBytesMax || !this.#symbols.hasNumbersLeft;
  }

  /** The commits from now on are another segment's: nothing is known in it. */
  startSegment(internBytesMax: number): void {
    assert(this.#profiles.length === 0, 'a segment starts between two commits');
    this.#serial++;
    this.#seriesCount = 0;
    this.#metadata.clear();
    this.#metadata.set('', 0);
    if (this.isFull(internBytesMax)) {
      const { memoryBytes } = this.interner.tables;
      this.interner = new Interner();
      this.#symbols = new SegmentSymbols(this.interner);
      this.#rows.forgetKeys();
      // The tables are memory of WebAssembly, of which V8 sees a handle.
      releaseMemoryOf(memoryBytes);
    }
    this.#symbols.startSegment();
  }

  add(entry: ProfileEntry, samples: SampleSource): RowCounts {
    const { series } = entry;
    if (series.segmentSerial !== this.#serial) {
      series.segmentSerial = this.#serial;
      series.number = this.#seriesCount++;
      this.#newSeries.push({ tenantId: series.tenantId, key: series.key });
    }
    const counts = this.#rows.add(samples, this.#symbols);
    const metadataNumber = this.#metadataNumber(entry.metadata);
    const flags = counts.overflows > 0 ? entry.flags | PROFILE_INCOMPLETE : entry.flags;
    this.#profiles.push({ ...entry, flags, rows: counts.rows, metadataNumber });
    return counts;
  }

  #metadataNumber(text: string): number {
    let number = this.#metadata.get(text);
    if (number === undefined) {
      number = this.#metadata.size;
      this.#metadata.set(text, number);
      this.#newMetadata.push(text);
    }
    return number;
  }

  /** The commit's bytes; the builder is then empty, and what was new no longer is. */
  take(): EncodedCommit {
    const profiles = this.#profiles;
    const rows = this.#rows;
    const payload = encodePayload([
      {
        table: SERIES,
        rowCount: this.#newSeries.length,
        fixed: [
          { type: 'utf8', values: this.#newSeries.map((s) => s.tenantId) },
          { type: 'utf8', values: this.#newSeries.map((s) => s.key) },
        ],
      },
      {
        table: METADATA,
        rowCount: this.#newMetadata.length,
        fixed: [{ type: 'utf8', values: this.#newMetadata.slice() }],
      },
      this.#profileTable(),
      ...symbolTables(this.#symbols.view()),
      {
        table: SAMPLES,
        rowCount: rows.length,
        fixed: [{ type: 'int32', values: rows.key }],
        wide: [rows.v1, rows.v2, rows.v3, rows.v4],
      },
    ]);
    const addition: IndexAddition = {
      series: this.#newSeries.slice(),
      profileSeries: profiles.map((p) => p.series.number),
      profileStartNs: profiles.map((p) => p.startNs),
      profileId: profiles.map((p) => p.id),
      profileFlags: profiles.map((p) => p.flags),
      rows: rows.length,
    };
    this.clear();
    return { payload, addition };
  }

  /** Drops what was added. The segment's numbers are then no longer right: a segment must be started. */
  clear(): void {
    this.#newSeries.length = 0;
    this.#newMetadata.length = 0;
    this.#profiles = [];
    this.#rows.clear();
    this.#symbols.clear();
  }

  #profileTable(): TableInput {
    const profiles = this.#profiles;
    return {
      table: PROFILES,
      rowCount: profiles.length,
      fixed: [
        { type: 'int32', values: Int32Array.from(profiles, (p) => p.series.number) },
        { type: 'timestamp', values: BigInt64Array.from(profiles, (p) => p.startNs) },
        { type: 'int64', values: BigInt64Array.from(profiles, (p) => p.durationNs) },
        { type: 'int64', values: BigInt64Array.from(profiles, (p) => p.period) },
        { type: 'int32', values: Int32Array.from(profiles, (p) => p.flags) },
        { type: 'utf8', values: profiles.map((p) => p.id) },
        { type: 'int32', values: Int32Array.from(profiles, (p) => p.metadataNumber) },
        { type: 'int32', values: Int32Array.from(profiles, (p) => p.rows) },
      ],
    };
  }
}

function symbolTables(symbols: NewSymbols): TableInput[] {
  const { frames, strings, labelSets, nodeParent, nodeFrame, keyNode, keyLabelSet } = symbols;
  return [
    { table: STRINGS, rowCount: strings.length, fixed: [{ type: 'utf8', values: strings }] },
    {
      table: FRAMES,
      rowCount: frames.count,
      fixed: [
        {
          type: 'int64',
          values: new BigInt64Array(frames.id.buffer, frames.id.byteOffset, frames.count),
        },
        { type: 'int32', values: frames.functionName },
        { type: 'int32', values: frames.systemName },
        { type: 'int32', values: frames.fileName },
        { type: 'int32', values: frames.mappingFile },
        { type: 'int32', values: frames.buildId },
        { type: 'int32', values: frames.frameType },
        { type: 'int32', values: frames.flags },
      ],
      wide: [
        frames.line,
        frames.column,
        frames.startLine,
        frames.mappingStart,
        frames.mappingLimit,
        frames.mappingOffset,
        frames.address,
      ],
    },
    {
      table: NODES,
      rowCount: nodeParent.length,
      fixed: [
        { type: 'int32', values: nodeParent },
        { type: 'int32', values: nodeFrame },
      ],
    },
    { table: LABEL_SETS, rowCount: labelSets.length, fixed: [{ type: 'utf8', values: labelSets }] },
    {
      table: KEYS,
      rowCount: keyNode.length,
      fixed: [
        { type: 'int32', values: keyNode },
        { type: 'int32', values: keyLabelSet },
      ],
    },
  ];
}
