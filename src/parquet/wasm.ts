/**
 * The door to parquet-wasm: errors, and the views of its memory.
 *
 * Its memory never shrinks and moves when it grows, so a view is made after the last call into WebAssembly and used
 * before the next. The layout of the Arrow C data interface is
 * https://arrow.apache.org/docs/format/CDataInterface.html#structure-definitions with 32-bit pointers.
 */
import { wasmMemory } from 'parquet-wasm';
import { assert } from '../base/assert.js';
import { StoreError } from '../base/errors.js';

/** What parquet-wasm threw, as a StoreError: a trap is `internal` (damage is caught by checksums before), the rest `corrupt`. */
export function parquetError(error: unknown, doing: string): StoreError {
  if (error instanceof StoreError) return error;
  const isTrap = error instanceof Error && error.name === 'RuntimeError';
  const text = error instanceof Error ? error.message : String(error);
  return new StoreError({
    kind: isTrap ? 'internal' : 'corrupt',
    code: isTrap ? 'PS_PARQUET_TRAP' : 'PS_PARQUET_DECODE',
    message: `cannot ${doing}: got ${text}; want no error of the Parquet library`,
    cause: error,
  });
}

/** An ArrowArray struct: the fields that columns without nulls need. */
interface ArrowArray {
  readonly length: number;
  readonly nullCount: number;
  readonly offset: number;
  readonly buffers: number;
  readonly children: number;
  readonly childCount: number;
}

function readArrowArray(view: DataView, at: number): ArrowArray {
  return {
    length: Number(view.getBigInt64(at, true)),
    nullCount: Number(view.getBigInt64(at + 8, true)),
    offset: Number(view.getBigInt64(at + 16, true)),
    childCount: Number(view.getBigInt64(at + 32, true)),
    buffers: view.getUint32(at + 40, true),
    children: view.getUint32(at + 44, true),
  };
}

/** Formats of the C data interface that are read in place. */
const BYTES_BY_FORMAT: ReadonlyMap<string, number> = new Map([
  ['i', 4],
  ['l', 8],
  ['tsn:UTC', 8],
]);

function cString(memory: Uint8Array, at: number): string {
  const end = memory.indexOf(0, at);
  assert(at > 0 && end >= 0, 'a C string must have an end');
  return Buffer.from(memory.buffer, memory.byteOffset + at, end - at).toString('utf8');
}

/** Name and format of each column of an ArrowSchema struct. */
export function schemaColumns(schemaAddress: number): { name: string; format: string }[] {
  const buffer: ArrayBuffer = wasmMemory().buffer;
  const view = new DataView(buffer);
  const memory = new Uint8Array(buffer);
  const count = Number(view.getBigInt64(schemaAddress + 24, true));
  const children = view.getUint32(schemaAddress + 32, true);
  return Array.from({ length: count }, (_, i) => {
    const child = view.getUint32(children + i * 4, true);
    return {
      format: cString(memory, view.getUint32(child, true)),
      name: cString(memory, view.getUint32(child + 4, true)),
    };
  });
}

/** Views of the columns of a record batch, valid until the next call into WebAssembly. */
export function batchColumns(
  arrayAddress: number,
  formats: readonly string[],
): { rowCount: number; columns: (Int32Array | BigInt64Array)[] } {
  const buffer: ArrayBuffer = wasmMemory().buffer;
  const view = new DataView(buffer);
  const batch = readArrowArray(view, arrayAddress);
  assert(batch.childCount === formats.length, 'a batch must have the columns of its schema');
  const columns = formats.map((format, i) => {
    const column = readArrowArray(view, view.getUint32(batch.children + i * 4, true));
    const width = BYTES_BY_FORMAT.get(format);
    assert(width !== undefined, `a column that is read in place must be a number, not ${format}`);
    assert(column.nullCount <= 0 && column.length >= batch.offset + batch.length, 'no nulls');
    const data = view.getUint32(column.buffers + 4, true);
    const start = data + (column.offset + batch.offset) * width;
    if (batch.length === 0) return width === 4 ? new Int32Array(0) : new BigInt64Array(0);
    return width === 4
      ? new Int32Array(buffer, start, batch.length)
      : new BigInt64Array(buffer, start, batch.length);
  });
  return { rowCount: batch.length, columns };
}
