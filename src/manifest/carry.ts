/**
 * Carries: the last consumed profile of each cumulative series of a service, keyed by content, so that they mean the
 * same beside any later numbering of keys (docs/format/carry.md).
 *
 * `carryRows` gives them the numbers of some symbols, `CarryBuilder` takes them back. Columns are zigzag varints,
 * coded by hand over halves of 64-bit values: a profile has a thousand rows, and a service forty such profiles.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { assert } from '../base/assert.js';
import { corrupt, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { CarrySchema, type Carry as CarryMessage } from '../gen/basalt/storage/v1/carry_pb.js';
import { seriesFromKey } from '../log/series-key.js';
import { VALUE_COLUMNS_MAX } from '../model/series.js';
import type { CarryRows } from '../symbols/deltas.js';
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
  readonly series: ReadonlyMap<string, CarryRows>;
}

/** `carry` with keys numbered as `keyIds` (symbols/content-id.ts) has them, -1 for a key that is not among them. */
export function carryRows(carry: ServiceCarry, keyIds: Uint32Array): Map<string, CarryRows> {
  const table = new IdTable();
  for (let at = 0; at < keyIds.length; at += 4) {
    // Two keys with one id would be a collision of 128 bits; the first stands for both.
    table.intern(keyIds, at);
  }
  assert(table.count * 4 === keyIds.length, 'keys of one numbering have distinct content ids');
  const numberOf = new Int32Array(carry.ids.length / 4);
  for (let i = 0; i < numberOf.length; i++) numberOf[i] = table.find(carry.ids, i * 4);
  const out = new Map<string, CarryRows>();
  for (const [seriesKey, rows] of carry.series) {
    out.set(seriesKey, { ...rows, key: rows.key.map((id) => numberOf[id] as number) });
  }
  return out;
}

/** `carry` with the profiles marked that `removals` take whole. */
export function withDeletions(carry: ServiceCarry, removals: Removals): ServiceCarry {
  if (removals.isEmpty) return carry;
  const series = new Map<string, CarryRows>();
  for (const [key, rows] of carry.series) {
    const isDeleted = rows.isDeleted || removals.of(seriesFromKey(key))?.at(rows.startNs) === 'all';
    series.set(key, { ...rows, isDeleted });
  }
  return { ...carry, series };
}

/** Collects the series of one service and writes them as one object. */
export class CarryBuilder {
  readonly #service: string;
  readonly #ids = new IdTable();
  readonly #series = new Map<string, CarryRows>();

  constructor(service: string) {
    this.#service = service;
  }

  get seriesCount(): number {
    return this.#series.size;
  }

  get hasDeleted(): boolean {
    return [...this.#series.values()].some((rows) => rows.isDeleted);
  }

  dropDeleted(): void {
    for (const [key, rows] of this.#series) if (rows.isDeleted) this.#series.delete(key);
  }

  /** Sets the series' carry, its keys as numbered in `keyIds`. The rows are copied. */
  set(seriesKey: string, rows: CarryRows, keyIds: Uint32Array): void {
    const key = new Int32Array(rows.rowCount);
    for (let r = 0; r < rows.rowCount; r++)
      key[r] = this.#ids.intern(keyIds, (rows.key[r] as number) * 4);
    this.#series.set(seriesKey, { ...rows, key });
  }

  /** Takes over the series of an older carry that have none yet and lie at most `ageNsMax` behind the newest. */
  inherit(old: ServiceCarry, ageNsMax: bigint): void {
    let newest: bigint | undefined;
    for (const { startNs } of [...this.#series.values(), ...old.series.values()]) {
      if (newest === undefined || startNs > newest) newest = startNs;
    }
    if (newest === undefined) return;
    for (const [seriesKey, rows] of old.series) {
      const isRecent = newest - rows.startNs <= ageNsMax;
      if (isRecent && !this.#series.has(seriesKey)) this.set(seriesKey, rows, old.ids);
    }
  }

  /**
   * The object at `objectKey`. Leaves out the oldest series while it would exceed LIMITS.carryBytesMax; `dropped` says how
   * many.
   */
  encode(objectKey: string, lineage: CarryLineage): { bytes: Uint8Array; dropped: number } {
    const newestFirst = [...this.#series].sort(([, a], [, b]) =>
      a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : 0,
    );
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
  series: readonly (readonly [string, CarryRows])[],
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
    series: byKey.map(([seriesKey, rows]) => {
      const numbered = rows.key.map((id) => rank[id] as number);
      const rowOrder = Array.from(numbered.keys()).sort(
        (a, b) => (numbered[a] as number) - (numbered[b] as number),
      );
      const columns = [];
      for (let c = 0; c < VALUE_COLUMNS_MAX; c++) {
        const column = rows.values[c] as BigInt64Array;
        if (column.every((value) => value === 0n)) continue;
        columns.push({ valueColumn: c, values: writer.zigzags(column, rowOrder) });
      }
      const keySteps = writer.steps(numbered, rowOrder);
      const { startNs, rowCount, isDeleted } = rows;
      return { seriesKey, startNs, rowCount, keySteps, columns, isDeleted };
    }),
  });
  return seal(CARRY, toBinary(CarrySchema, message));
}

function rankIds(
  series: readonly (readonly [string, CarryRows])[],
  ids: IdTable,
): { order: number[]; rank: Int32Array } {
  const rank = new Int32Array(ids.count).fill(-1);
  const order: number[] = [];
  for (const [, rows] of series) {
    for (const id of rows.key) {
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
  const series = new Map<string, CarryRows>();
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
    const { startNs, isDeleted } = entry;
    series.set(entry.seriesKey, { startNs, rowCount, key, values, isDeleted });
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
