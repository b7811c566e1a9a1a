/** Decodes a segment commit by commit into a SegmentView that grows. */
import { corrupt } from '../base/errors.js';
import {
  type ColumnTable,
  int32Values,
  int64Values,
  timestampValues,
  utf8Values,
} from '../columnar/table.js';
import { findTable, splitPayload, type TableBytes } from '../log/commit-codec.js';
import {
  DATA_TABLES,
  METADATA,
  PROFILES,
  SAMPLES,
  SERIES,
  variantCode,
} from '../log/commit-schema.js';
import { metadataFromText, NO_METADATA } from '../log/profile-metadata.js';
import {
  COMMIT_FOOTER,
  COMMIT_HEADER_BYTES,
  commitBytesAt,
  readCommitFrame,
} from '../log/segment-format.js';
import type {
  ProfileMetadata,
  SampleBatch,
  SegmentPosition,
  SegmentProfiles,
  SegmentSeries,
  SegmentView,
  StoredColumn,
} from '../log/segment-view.js';
import { seriesFromKey } from '../log/series-key.js';
import { IntList } from '../symbols/intern-list.js';
import { checkRange, GrowingSymbols, storedColumn } from './segment-symbols.js';

/** Flags of a profile take a byte in a view. */
const FLAGS_END = 256;

const NO_ROWS: SampleBatch = {
  rowCount: 0,
  key: new Int32Array(0),
  values: [undefined, undefined, undefined, undefined],
};

export class GrowingSegment {
  readonly #sequence: number;
  readonly #symbols = new GrowingSymbols();
  readonly #series: SegmentSeries[] = [];
  readonly #metadataTexts: ProfileMetadata[] = [NO_METADATA];
  readonly #batches: SampleBatch[] = [];
  readonly #id: string[] = [];
  readonly #metadata: ProfileMetadata[] = [];
  readonly #numbers = {
    series: new IntList(),
    /** Halves. */
    start: new IntList(),
    duration: new IntList(),
    period: new IntList(),
    flags: new IntList(),
    batch: new IntList(),
    firstRow: new IntList(),
    rowCount: new IntList(),
  };
  #isSealed = false;

  constructor(sequence: number) {
    this.#sequence = sequence;
  }

  /**
   * Decodes the whole commits in `bytes`, which start at `base` in the file, and returns where they end. A commit that
   * `bytes` cut is left for the next call, unless they are the last ones: then it is damage. Throws `corrupt`; then
   * nothing of this object may be used any more.
   */
  add(bytes: Uint8Array, base: number, isLast: boolean): number {
    const end = base + bytes.length;
    let offset = base;
    while (offset < end) {
      if (!isLast && isCut(bytes, offset - base)) return offset;
      const frame = readCommitFrame(bytes, { sequence: this.#sequence, offset, base });
      if (frame === undefined || this.#isSealed) {
        throw corrupt(
          'PS_SEGMENT_CHECKSUM',
          `cannot read segment ${this.#sequence}: got damaged bytes at ${offset}; want a whole commit`,
          { sequence: this.#sequence, offset },
        );
      }
      if (frame.kind === COMMIT_FOOTER) this.#isSealed = true;
      else {
        this.#addCommit(
          splitPayload(
            bytes.subarray(frame.start - base + COMMIT_HEADER_BYTES, frame.end - base),
            DATA_TABLES,
          ),
        );
      }
      offset = frame.end;
    }
    return offset;
  }

  #addCommit(tables: readonly TableBytes[]): void {
    this.#symbols.add(tables);
    const series = findTable(tables, SERIES)?.content;
    if (series !== undefined) this.#addSeries(series);
    const metadata = findTable(tables, METADATA)?.content;
    if (metadata !== undefined) {
      for (const text of utf8Values(metadata, 'text'))
        this.#metadataTexts.push(metadataFromText(text));
    }
    const samples = findTable(tables, SAMPLES);
    const batch = samples === undefined ? NO_ROWS : this.#batch(samples.content, samples.variant);
    const profiles = findTable(tables, PROFILES)?.content;
    const rows = profiles === undefined ? 0 : this.#addProfiles(profiles);
    if (rows !== batch.rowCount) {
      throw corrupt(
        'PS_SEGMENT_REFERENCE',
        `cannot read samples of a segment: got ${batch.rowCount} rows; want ${rows}, as its profiles say`,
      );
    }
    // Also without rows: a profile of nothing but zeros names its batch like any other.
    this.#batches.push(batch);
  }

  #addSeries(table: ColumnTable): void {
    const tenants = utf8Values(table, 'tenant');
    utf8Values(table, 'key').forEach((key, i) => {
      this.#series.push({ tenantId: tenants[i]!, series: seriesFromKey(key) });
    });
  }

  #batch(table: ColumnTable, variant: number): SampleBatch {
    const key = int32Values(table, 'key');
    checkRange('keys', key, 0, this.#symbols.keyCount);
    // Copies, which let the bytes of the file go: symbols, of which there are copies too, are the most of them.
    const column = (index: number): StoredColumn =>
      storedColumn(table, `v${index + 1}`, variantCode(variant, index))?.slice();
    const values = [column(0), column(1), column(2), column(3)] as const;
    return { rowCount: table.rowCount, key: key.slice(), values };
  }

  /** Returns the number of rows of these profiles. */
  #addProfiles(table: ColumnTable): number {
    const numbers = this.#numbers;
    const series = int32Values(table, 'series');
    checkRange(`profiles' series`, series, 0, this.#series.length);
    const flags = int32Values(table, 'flags');
    checkRange(`profiles' flags`, flags, 0, FLAGS_END);
    const metadata = int32Values(table, 'metadata');
    checkRange(`profiles' metadata`, metadata, 0, this.#metadataTexts.length);
    const rows = int32Values(table, 'rows');
    checkRange(`profiles' rows`, rows, 0, 2 ** 31);
    numbers.series.append(series);
    numbers.flags.append(flags);
    numbers.rowCount.append(rows);
    numbers.start.append(halvesOf(timestampValues(table, 'start')));
    numbers.duration.append(halvesOf(int64Values(table, 'duration')));
    numbers.period.append(halvesOf(int64Values(table, 'period')));
    let firstRow = 0;
    for (let p = 0; p < rows.length; p++) {
      numbers.batch.push(this.#batches.length);
      numbers.firstRow.push(firstRow);
      firstRow += rows[p]!;
      this.#metadata.push(this.#metadataTexts[metadata[p]!]!);
    }
    for (const id of utf8Values(table, 'id')) this.#id.push(id);
    return firstRow;
  }

  /** What is there now; what is added later does not change it. */
  snapshot(position: SegmentPosition): SegmentView {
    if (this.#isSealed) this.#symbols.trim();
    return {
      position,
      symbols: this.#symbols.snapshot(),
      series: this.#series.slice(),
      profiles: this.#profiles(),
      batches: this.#batches.slice(),
    };
  }

  #profiles(): SegmentProfiles {
    const n = this.#numbers;
    const count = n.series.length;
    return {
      count,
      series: n.series.view(),
      startNs: wideView(n.start, count),
      durationNs: wideView(n.duration, count),
      period: wideView(n.period, count),
      flags: Uint8Array.from(n.flags.view()),
      id: this.#id.slice(),
      batch: n.batch.view(),
      firstRow: n.firstRow.view(),
      rowCount: n.rowCount.view(),
      metadata: this.#metadata.slice(),
    };
  }
}

function isCut(bytes: Uint8Array, at: number): boolean {
  if (at + COMMIT_HEADER_BYTES > bytes.length) return true;
  const sizeBytes = commitBytesAt(bytes, at);
  return sizeBytes !== undefined && at + sizeBytes > bytes.length;
}

function halvesOf(wide: BigInt64Array): Int32Array {
  return new Int32Array(wide.buffer, wide.byteOffset, wide.length * 2);
}

function wideView(halves: IntList, count: number): BigInt64Array {
  return new BigInt64Array(halves.data.buffer, 0, count);
}
