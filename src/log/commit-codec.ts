/**
 * The payload of a commit: a directory, then one Arrow IPC stream for each table it brings
 * (docs/format/segment.md). Tables without rows are left out.
 */
import { assert } from '../base/assert.js';
import { corrupt } from '../base/errors.js';
import { decodeIpcStream } from '../columnar/ipc-decode.js';
import { encodeIpcStream } from '../columnar/ipc-encode.js';
import type { Column, ColumnTable } from '../columnar/table.js';
import { type CommitTable, schemaOf } from './commit-schema.js';
import { ALIGN_BYTES } from './segment-format.js';
import { WIDE_ABSENT, wideCode, wideColumn } from './wide-column.js';

const DIRECTORY_BYTES = 8;
const ENTRY_BYTES = 8;
const PADDING = new Uint8Array(ALIGN_BYTES);

/** A table to encode: its fixed columns, and its 64-bit columns as halves. */
export interface TableInput {
  readonly table: CommitTable;
  readonly rowCount: number;
  readonly fixed: readonly Column[];
  readonly wide?: readonly Int32Array[];
}

/** Pieces of a payload, in all a multiple of 8 bytes. */
export function encodePayload(inputs: readonly TableInput[]): Uint8Array[] {
  const present = inputs.filter((input) => input.rowCount > 0);
  const directory = new Uint8Array(DIRECTORY_BYTES + present.length * ENTRY_BYTES);
  const view = new DataView(directory.buffer);
  view.setUint32(0, present.length, true);
  const pieces: Uint8Array[] = [directory];
  present.forEach((input, i) => {
    const { variant, stream } = encodeTable(input);
    const at = DIRECTORY_BYTES + i * ENTRY_BYTES;
    view.setUint16(at, input.table.number, true);
    view.setUint16(at + 2, variant, true);
    view.setUint32(at + 4, stream.length, true);
    pieces.push(stream);
    const over = stream.length % ALIGN_BYTES;
    if (over !== 0) pieces.push(PADDING.subarray(over));
  });
  return pieces;
}

function encodeTable(input: TableInput): { variant: number; stream: Uint8Array } {
  const { table, rowCount, fixed, wide = [] } = input;
  assert(fixed.length === table.fixed.length && wide.length === table.wide.length, 'all columns');
  let variant = 0;
  const columns = [...fixed];
  for (let i = 0; i < wide.length; i++) {
    const code = wideCode(wide[i]!, rowCount);
    variant |= code << (i * 2);
    if (code !== WIDE_ABSENT) columns.push(wideColumn(wide[i]!, rowCount, code));
  }
  const stream = encodeIpcStream({ schema: schemaOf(table, variant), rowCount, columns });
  return { variant, stream };
}

/** A table of a payload that is not decoded yet. */
export interface TableBytes {
  readonly table: CommitTable;
  readonly variant: number;
  readonly bytes: Uint8Array;
}

function damaged(got: string, want: string): Error {
  return corrupt('PS_SEGMENT_TABLE', `cannot read commit: got ${got}; want ${want}`);
}

/**
 * The tables of a payload, which may be any of `known`, each at most once; views of `payload`. Throws `corrupt`
 * PS_SEGMENT_TABLE.
 */
export function splitPayload(payload: Uint8Array, known: readonly CommitTable[]): TableBytes[] {
  if (payload.length < DIRECTORY_BYTES) throw damaged(`${payload.length} bytes`, 'a directory');
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const count = view.getUint32(0, true);
  let start = DIRECTORY_BYTES + count * ENTRY_BYTES;
  if (count > known.length) throw damaged(`${count} tables`, `at most ${known.length}`);
  if (start > payload.length)
    throw damaged(`${payload.length} bytes`, `a directory of ${count} tables`);
  const tables: TableBytes[] = [];
  for (let i = 0; i < count; i++) {
    const at = DIRECTORY_BYTES + i * ENTRY_BYTES;
    const number = view.getUint16(at, true);
    const end = start + view.getUint32(at + 4, true);
    const table = known.find((candidate) => candidate.number === number);
    if (table === undefined) throw damaged(`table ${number}`, 'a known one');
    if (tables.some((other) => other.table === table))
      throw damaged(`${table.name} twice`, 'it once');
    if (end > payload.length)
      throw damaged(`a table past the end`, `at most ${payload.length} bytes`);
    tables.push({
      table,
      variant: view.getUint16(at + 2, true),
      bytes: payload.subarray(start, end),
    });
    start = Math.ceil(end / ALIGN_BYTES) * ALIGN_BYTES;
  }
  return tables;
}

/** Throws `corrupt`. Numbers are views of `table.bytes` where these are aligned to 8. */
export function decodeTable(table: TableBytes): ColumnTable {
  return decodeIpcStream(table.bytes, schemaOf(table.table, table.variant));
}

/** The table of that kind, decoded, or undefined if the commit brings none. */
export function findTable(
  tables: readonly TableBytes[],
  table: CommitTable,
): { readonly variant: number; readonly content: ColumnTable } | undefined {
  const found = tables.find((candidate) => candidate.table === table);
  return found === undefined ? undefined : { variant: found.variant, content: decodeTable(found) };
}
