/**
 * Carries: the profiles that the next one of each cumulative series of a service is compared with, keyed by content, so
 * that they mean the same beside any later numbering of keys (docs/format/carry.md).
 *
 * `CarryKeys` gives them numbers beside those of some symbols, `CarryBuilder` takes them back. Columns are zigzag varints,
 * coded by hand over halves of 64-bit values: a profile has a thousand rows, and a service forty such profiles.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { assert } from '../base/assert.js';
import { corrupt, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import {
  CarrySchema,
  CarrySeriesSchema,
  type Carry as CarryMessage,
  type CarrySeries,
} from '../gen/basalt/storage/v1/carry_pb.js';
import { seriesFromKey } from '../log/series-key.js';
import { VALUE_COLUMNS_MAX } from '../model/series.js';
import type { CarryRows, SeriesCarry } from '../symbols/deltas.js';
import { IdTable } from '../symbols/id-table.js';
import { type EnvelopeKind, seal, unseal } from './envelope.js';
import type { CarryLineage } from './lineage.js';
import { decodeCarryLineage, encodeCarryLineage } from './lineage-codec.js';
import type { Removals } from './series-removal.js';
import type { CarryRef } from './types.js';
import { readSteps, readZigzags, VarintWriter } from './varint-columns.js';

const CARRY: EnvelopeKind = {
  noun: 'carry',
  magic: 'BSLTCARY',
  version: 1,
  sizeBytesMax: LIMITS.carryBytesMax,
};

/** Series of one service by their key; `key` of their rows counts into `ids`. */
export interface ServiceCarry {
  readonly service: string;
  /** Four words for each distinct key content id. */
  readonly ids: Uint32Array;
  readonly series: ReadonlyMap<string, SeriesCarry>;
}

/** Numbers of keys by content: those of some symbols, and after them those that only carries have. */
export class CarryKeys {
  readonly #table = new IdTable();

  /** `keyIds`: content ids of the symbols' keys (symbols/content-id.ts). */
  constructor(keyIds: Uint32Array) {
    for (let at = 0; at < keyIds.length; at += 4) this.#table.intern(keyIds, at);
    assert(
      this.#table.count * 4 === keyIds.length,
      'keys of one numbering have distinct content ids',
    );
  }

  get count(): number {
    return this.#table.count;
  }

  /** Four words for each key. Valid until the next carry. */
  get ids(): Uint32Array {
    return this.#table.words;
  }

  /** The series of `carry` under these numbers. */
  numbered(carry: ServiceCarry): Map<string, SeriesCarry> {
    const numberOf = new Int32Array(carry.ids.length / 4);
    for (let i = 0; i < numberOf.length; i++) numberOf[i] = this.#table.intern(carry.ids, i * 4);
    const renumber = (rows: CarryRows): CarryRows => {
      return { ...rows, key: rows.key.map((id) => numberOf[id] as number) };
    };
    const out = new Map<string, SeriesCarry>();
    for (const [seriesKey, series] of carry.series) out.set(seriesKey, mapRows(series, renumber));
    return out;
  }
}

function mapRows({ live, deleted }: SeriesCarry, map: (rows: CarryRows) => CarryRows): SeriesCarry {
  return {
    live: live && map(live),
    deleted: deleted && { ...deleted, rows: deleted.rows && map(deleted.rows) },
  };
}

/** Start of the last profile of a carry. */
export function carryEndNs({ live, deleted }: SeriesCarry): bigint {
  return deleted?.startNs ?? live?.startNs ?? 0n;
}

/** `carry` with the profiles marked that `removals` take whole. */
export function withDeletions(carry: ServiceCarry, removals: Removals): ServiceCarry {
  if (removals.isEmpty) return carry;
  const series = new Map<string, SeriesCarry>();
  for (const [key, own] of carry.series) {
    const { live } = own;
    const isTaken =
      live !== undefined && removals.of(seriesFromKey(key))?.at(live.startNs) === 'all';
    const left = isTaken ? withLiveDeleted(own, live) : own;
    if (left !== undefined) series.set(key, left);
  }
  return { ...carry, series };
}

/** Undefined where no values are left to compare with. */
function withLiveDeleted({ deleted }: SeriesCarry, live: CarryRows): SeriesCarry | undefined {
  if (deleted === undefined)
    return { live: undefined, deleted: { startNs: live.startNs, rows: live } };
  return deleted.rows === undefined ? undefined : { live: undefined, deleted };
}

/** Collects the series of one service and writes them as one object. */
export class CarryBuilder {
  readonly #service: string;
  readonly #ids = new IdTable();
  readonly #series = new Map<string, SeriesCarry>();

  constructor(service: string) {
    this.#service = service;
  }

  get seriesCount(): number {
    return this.#series.size;
  }

  get hasDeleted(): boolean {
    return hasDeletedRows(this.#series);
  }

  /** What it holds now. */
  get carry(): ServiceCarry {
    const ids = this.#ids.words.subarray(0, this.#ids.count * 4);
    return { service: this.#service, ids, series: this.#series };
  }

  /** Forgets the values of deleted profiles; where there is none that counts, the series. */
  dropDeleted(): void {
    for (const [key, { live, deleted }] of this.#series) {
      if (deleted === undefined) continue;
      if (live === undefined) this.#series.delete(key);
      else this.#series.set(key, { live, deleted: { ...deleted, rows: undefined } });
    }
  }

  /** Sets the series' carry, its keys as numbered in `keyIds`. The rows are copied. */
  set(seriesKey: string, carry: SeriesCarry, keyIds: Uint32Array): void {
    const renumber = (rows: CarryRows): CarryRows => {
      return { ...rows, key: rows.key.map((key) => this.#ids.intern(keyIds, key * 4)) };
    };
    this.#series.set(seriesKey, mapRows(carry, renumber));
  }

  /** Takes over the series of an older carry that have none yet and lie at most `ageNsMax` behind the newest. */
  inherit(old: ServiceCarry, ageNsMax: bigint): void {
    let newest: bigint | undefined;
    for (const carry of [...this.#series.values(), ...old.series.values()]) {
      const endNs = carryEndNs(carry);
      if (newest === undefined || endNs > newest) newest = endNs;
    }
    if (newest === undefined) return;
    for (const [seriesKey, carry] of old.series) {
      const isRecent = newest - carryEndNs(carry) <= ageNsMax;
      if (isRecent && !this.#series.has(seriesKey)) this.set(seriesKey, carry, old.ids);
    }
  }

  /**
   * The object at `objectKey`. Leaves out the oldest series while it would exceed LIMITS.carryBytesMax; `dropped` says how
   * many.
   */
  encode(objectKey: string, lineage: CarryLineage): { bytes: Uint8Array; dropped: number } {
    const newestFirst = [...this.#series].sort(([, a], [, b]) => {
      const x = carryEndNs(a);
      const y = carryEndNs(b);
      return x > y ? -1 : x < y ? 1 : 0;
    });
    for (let kept = newestFirst.length; ; kept >>>= 1) {
      const bytes = encodeSeries(
        { service: this.#service, objectKey, lineage },
        newestFirst.slice(0, kept),
        this.#ids,
      );
      if (bytes.length <= LIMITS.carryBytesMax || kept === 0) {
        return { bytes, dropped: newestFirst.length - kept };
      }
    }
  }
}

/** Rows sorted by id and ids renumbered by value, so that equal carries are equal bytes. */
function encodeSeries(
  head: { readonly service: string; readonly objectKey: string; readonly lineage: CarryLineage },
  series: readonly (readonly [string, SeriesCarry])[],
  ids: IdTable,
): Uint8Array {
  const { order, rank } = rankIds(series, ids);
  const keyIds = new Uint8Array(order.length * 16);
  const view = new DataView(keyIds.buffer);
  order.forEach((id, i) => {
    for (let w = 0; w < 4; w++)
      view.setUint32(i * 16 + w * 4, ids.words[id * 4 + w] as number, true);
  });
  const writer = new VarintWriter();
  const byKey = [...series].sort(([a], [b]) => (a < b ? -1 : 1));
  const message = create(CarrySchema, {
    service: head.service,
    objectKey: head.objectKey,
    lineage: encodeCarryLineage(head.lineage),
    keyIds,
    series: byKey.flatMap(([seriesKey, { live, deleted }]) => {
      const out: CarrySeries[] = [];
      if (live !== undefined) {
        const entry = encodeRows(seriesKey, live, { rank, writer });
        const isErased = deleted !== undefined && deleted.rows === undefined;
        out.push(isErased ? { ...entry, erasedNs: deleted.startNs } : entry);
      }
      if (deleted?.rows !== undefined) {
        out.push({ ...encodeRows(seriesKey, deleted.rows, { rank, writer }), isDeleted: true });
      }
      return out;
    }),
  });
  return seal(CARRY, toBinary(CarrySchema, message));
}

function encodeRows(
  seriesKey: string,
  { startNs, rowCount, key, values }: CarryRows,
  { rank, writer }: { readonly rank: Int32Array; readonly writer: VarintWriter },
): CarrySeries {
  const numbered = key.map((id) => rank[id] as number);
  const rowOrder = Array.from(numbered.keys()).sort(
    (a, b) => (numbered[a] as number) - (numbered[b] as number),
  );
  const columns = [];
  for (let c = 0; c < VALUE_COLUMNS_MAX; c++) {
    const column = values[c] as BigInt64Array;
    if (column.every((value) => value === 0n)) continue;
    columns.push({ valueColumn: c, values: writer.zigzags(column, rowOrder) });
  }
  const keySteps = writer.steps(numbered, rowOrder);
  return create(CarrySeriesSchema, { seriesKey, startNs, rowCount, keySteps, columns });
}

export function hasDeletedRows(series: ReadonlyMap<string, SeriesCarry>): boolean {
  return [...series.values()].some(({ deleted }) => deleted?.rows !== undefined);
}

function rankIds(
  series: readonly (readonly [string, SeriesCarry])[],
  ids: IdTable,
): { order: number[]; rank: Int32Array } {
  const rank = new Int32Array(ids.count).fill(-1);
  const order: number[] = [];
  for (const [, { live, deleted }] of series) {
    for (const id of [...(live?.key ?? []), ...(deleted?.rows?.key ?? [])]) {
      if (rank[id] !== -1) continue;
      rank[id] = 0;
      order.push(id);
    }
  }
  const { words } = ids;
  order.sort((a, b) => {
    for (let w = 0; w < 4; w++) {
      const difference = (words[a * 4 + w] as number) - (words[b * 4 + w] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  });
  order.forEach((id, i) => {
    rank[id] = i;
  });
  return { order, rank };
}

/** That of `service` as read at `objectKey`. Throws `corrupt` PS_ENVELOPE_*, PS_CARRY_DECODE. */
export function decodeCarry(
  { service, objectKey }: Pick<CarryRef, 'service' | 'objectKey'>,
  bytes: Uint8Array,
): ServiceCarry {
  const message = decodeMessage(bytes);
  const damaged = (got: string, want: string): StoreError =>
    corrupt(
      'PS_CARRY_DECODE',
      `cannot read carry of ${JSON.stringify(service)}: got ${got}; want ${want}`,
    );
  if (message.service !== service)
    throw damaged(`service ${JSON.stringify(message.service)}`, 'that service');
  // One of an older program does not say.
  if (message.objectKey !== '' && message.objectKey !== objectKey) {
    throw damaged(`the carry ${message.objectKey}`, objectKey);
  }
  const { keyIds } = message;
  if (keyIds.length % 16 !== 0)
    throw damaged(`${keyIds.length} bytes of key ids`, 'a multiple of 16');
  const view = new DataView(keyIds.buffer, keyIds.byteOffset, keyIds.byteLength);
  const ids = new Uint32Array(keyIds.length / 4);
  for (let w = 0; w < ids.length; w++) ids[w] = view.getUint32(w * 4, true);
  const series = new Map<string, SeriesCarry>();
  for (const entry of message.series) {
    const { rowCount } = entry;
    if (rowCount > ids.length / 4) throw damaged(`${rowCount} rows`, `at most ${ids.length / 4}`);
    const key = readSteps(entry.keySteps, rowCount, ids.length / 4);
    const values = [0, 1, 2, 3].map(() => new BigInt64Array(rowCount)) as unknown as [
      BigInt64Array,
      BigInt64Array,
      BigInt64Array,
      BigInt64Array,
    ];
    let isWhole = key !== undefined;
    for (const column of entry.columns) {
      const target = values[column.valueColumn];
      isWhole &&= target !== undefined && readZigzags(column.values, target);
    }
    if (key === undefined || !isWhole) {
      throw damaged(`a damaged series ${entry.seriesKey.slice(0, 200)}`, `${rowCount} whole rows`);
    }
    const { startNs, seriesKey } = entry;
    const rows = { startNs, rowCount, key, values };
    const known = series.get(seriesKey);
    if (entry.isDeleted) {
      if (known?.deleted !== undefined) throw damaged(`${seriesKey} twice`, 'once');
      series.set(seriesKey, { live: known?.live, deleted: { startNs, rows } });
      continue;
    }
    if (known !== undefined) throw damaged(`${seriesKey} twice`, 'once');
    const { erasedNs } = entry;
    const deleted = erasedNs === undefined ? undefined : { startNs: erasedNs, rows: undefined };
    series.set(seriesKey, { live: rows, deleted });
  }
  return { service, ids, series };
}

/** Whose carry it is and where it comes from. Throws as `decodeCarry`. */
export function decodeCarryOrigin(bytes: Uint8Array): {
  readonly service: string;
  readonly lineage: CarryLineage;
} {
  const { service, lineage } = decodeMessage(bytes);
  return { service, lineage: decodeCarryLineage(lineage) };
}

function decodeMessage(bytes: Uint8Array): CarryMessage {
  const { body } = unseal(CARRY, bytes);
  try {
    return fromBinary(CarrySchema, body);
  } catch (error) {
    throw new StoreError({
      kind: 'corrupt',
      code: 'PS_CARRY_DECODE',
      message:
        'cannot read carry: got bytes that are no carry message; want basalt.storage.v1.Carry',
      cause: error,
    });
  }
}
