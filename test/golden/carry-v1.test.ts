/** What version 1 of a carry and of a boundary is, byte for byte. `BASALT_WRITE_GOLDEN=1` writes them anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CarryBuilder, decodeCarry, decodeCarryOrigin } from '../../src/manifest/carry.js';
import { decodeBoundary, encodeBoundary } from '../../src/manifest/manifest-codec.js';

const CARRY = new URL('carry-v1', import.meta.url);
/** The same with its own key, as it is written since. */
const KEYED = new URL('carry-v1-keyed', import.meta.url);
/** With deleted profiles beside those that count. */
const DELETED = new URL('carry-v1-deleted', import.meta.url);
const BOUNDARY = new URL('boundary-v1', import.meta.url);

const LINEAGE = {
  baseVersion: 41,
  consumed: [
    { instance: '6f1c0a52-6f0e-4f5e-8f0e-3c0f4e0f7a10', sequence: 12 },
    { instance: '7f1c0a52-6f0e-4f5e-8f0e-3c0f4e0f7a10', sequence: 2 ** 40 },
  ],
};
const KEY_IDS = Uint32Array.from([1, 2, 3, 4, 0xffff_ffff, 0, 0, 1, 7, 7, 7, 7]);
const SERIES = {
  startNs: 1_700_000_000_000_000_001n,
  rowCount: 3,
  key: Int32Array.of(2, 0, 1),
  values: [
    BigInt64Array.of(1n, -1n, 2n ** 62n),
    BigInt64Array.of(0n, 0n, 0n),
    BigInt64Array.of(300n, 0n, -(2n ** 63n)),
    BigInt64Array.of(0n, 0n, 0n),
  ] as const,
};
const live = { live: SERIES, deleted: undefined };
const GONE = { ...SERIES, startNs: -5n };

function golden(file: URL, bytes: Uint8Array): Uint8Array {
  if (process.env['BASALT_WRITE_GOLDEN'] === '1') writeFileSync(file, bytes);
  const stored = readFileSync(file);
  expect(Buffer.from(bytes).equals(stored)).toBe(true);
  return stored;
}

describe('carry and boundary, version 1', () => {
  it('a carry is written as ever, and read back', () => {
    const builder = new CarryBuilder('shop');
    builder.set('["shop","heap"]', live, KEY_IDS);
    const gone = { live: undefined, deleted: { startNs: GONE.startNs, rows: GONE } };
    builder.set('["shop","gone"]', gone, KEY_IDS);
    const stored = golden(CARRY, builder.encode('', LINEAGE).bytes);
    const keyed = golden(KEYED, builder.encode('carry/t/1', LINEAGE).bytes);
    expect(decodeCarry({ service: 'shop', objectKey: 'carry/t/1' }, keyed)).toEqual(
      decodeCarry({ service: 'shop', objectKey: 'carry/t/1' }, stored),
    );
    expect(decodeCarryOrigin(stored)).toEqual({ service: 'shop', lineage: LINEAGE });
    const { ids, series } = decodeCarry({ service: 'shop', objectKey: 'carry/t/1' }, stored);
    expect([...series.keys()]).toEqual(['["shop","gone"]', '["shop","heap"]']);
    const heap = series.get('["shop","heap"]')?.live;
    expect(series.get('["shop","gone"]')).toMatchObject({
      live: undefined,
      deleted: { startNs: -5n, rows: { rowCount: 3 } },
    });
    expect(heap?.startNs).toBe(SERIES.startNs);
    // By the first word of their ids: 1, 7, 2^32 - 1.
    const rows = [...(heap?.key ?? [])].map((id, r) => [
      ids[id * 4],
      heap?.values[0][r],
      heap?.values[2][r],
    ]);
    expect(rows).toEqual([
      [1, -1n, 0n],
      [7, 1n, 300n],
      [0xffff_ffff, 2n ** 62n, -(2n ** 63n)],
    ]);
  });

  it('a carry has deleted profiles beside those that count', () => {
    const builder = new CarryBuilder('shop');
    const deleted = { startNs: SERIES.startNs + 5n, rows: undefined };
    builder.set('["shop","erased"]', { live: SERIES, deleted }, KEY_IDS);
    const rows = { ...SERIES, startNs: SERIES.startNs + 9n };
    const both = { live: GONE, deleted: { startNs: rows.startNs, rows } };
    builder.set('["shop","heap"]', both, KEY_IDS);
    const stored = golden(DELETED, builder.encode('carry/t/1', LINEAGE).bytes);
    const { series } = decodeCarry({ service: 'shop', objectKey: 'carry/t/1' }, stored);
    expect(series.get('["shop","erased"]')).toMatchObject({
      live: { startNs: SERIES.startNs, rowCount: 3 },
      deleted,
    });
    expect(series.get('["shop","heap"]')).toMatchObject({
      live: { startNs: -5n, rowCount: 3 },
      deleted: { startNs: rows.startNs, rows: { startNs: rows.startNs, rowCount: 3 } },
    });
  });

  it('a boundary is written as ever, and read back', () => {
    expect(decodeBoundary(golden(BOUNDARY, encodeBoundary(2 ** 50 + 1)))).toBe(2 ** 50 + 1);
  });
});
