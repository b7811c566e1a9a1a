/** The frames of a block in memory: as columns, of which a frame is made when asked for. */
import {
  boolValues,
  type Column,
  type ColumnTable,
  columnOf,
  int64Values,
  utf8Values,
} from '../columnar/table.js';
import type { Frame } from '../model/frame.js';
import { type OpenTable, readTableParts } from './read-rows.js';
import type { BlockFrames } from './types.js';

const INT64_COLUMNS = [
  'line',
  'column',
  'start_line',
  'mapping_start',
  'mapping_limit',
  'mapping_offset',
  'address',
] as const;

const TEXT_COLUMNS = ['file', 'mapping_file', 'build_id', 'frame_type'] as const;

const FRAME_COLUMNS = [
  'frame_id',
  'function',
  'system_name',
  ...INT64_COLUMNS,
  ...TEXT_COLUMNS,
  'inlined',
  'folded',
] as const;

type TextColumn = Extract<Column, { type: 'dictionary' }>;

/** What a string takes beside its characters, and the place that refers to it. */
const STRING_BYTES = 24;

export async function readFrames(open: OpenTable, signal?: AbortSignal): Promise<BlockFrames> {
  const count = open.meta.rowCount;
  const parts = await readTableParts(open, { start: 0, end: count }, FRAME_COLUMNS, signal);
  const idHigh = new Uint32Array(count);
  const idLow = new Uint32Array(count);
  const made: FramePart[] = [];
  let firstRow = 0;
  let sizeBytes = count * 8;
  for (const { table } of parts) {
    const ids = int64Values(table, 'frame_id');
    const words = new Uint32Array(ids.buffer, ids.byteOffset, ids.length * 2);
    for (let i = 0; i < table.rowCount; i++) {
      idLow[firstRow + i] = words[2 * i] as number;
      idHigh[firstRow + i] = words[2 * i + 1] as number;
    }
    const part = new FramePart(table, firstRow);
    sizeBytes += part.sizeBytes;
    made.push(part);
    firstRow += table.rowCount;
  }
  return {
    count,
    idHigh,
    idLow,
    sizeBytes,
    frame: (index) => {
      let p = made.length - 1;
      while (p > 0 && (made[p]?.firstRow as number) > index) p--;
      return (made[p] as FramePart).frame(index);
    },
  };
}

/** One row group. Holds no more than it needs: no numbers that are all 0, one string where both names are equal. */
class FramePart {
  readonly firstRow: number;
  readonly sizeBytes: number;
  readonly #functionName: readonly string[];
  readonly #systemName: readonly string[];
  readonly #numbers: readonly (BigInt64Array | undefined)[];
  readonly #texts: readonly TextColumn[];
  readonly #inlined: Uint8Array;
  readonly #folded: Uint8Array;

  constructor(table: ColumnTable, firstRow: number) {
    this.firstRow = firstRow;
    const functions = utf8Values(table, 'function');
    this.#functionName = functions;
    this.#systemName = utf8Values(table, 'system_name').map((name, row) =>
      name === functions[row] ? (functions[row] as string) : name,
    );
    this.#numbers = INT64_COLUMNS.map((name) => {
      const values = int64Values(table, name);
      return values.every((value) => value === 0n) ? undefined : values;
    });
    this.#texts = TEXT_COLUMNS.map((name) => columnOf(table, name, 'dictionary'));
    this.#inlined = boolValues(table, 'inlined');
    this.#folded = boolValues(table, 'folded');
    this.sizeBytes = this.#size(table.rowCount);
  }

  frame(index: number): Frame {
    const row = index - this.firstRow;
    return {
      functionName: this.#functionName[row] as string,
      systemName: this.#systemName[row] as string,
      fileName: this.#text(0, row),
      line: this.#signed(0, row),
      column: this.#signed(1, row),
      startLine: this.#signed(2, row),
      mappingFile: this.#text(1, row),
      buildId: this.#text(2, row),
      mappingStart: this.#unsigned(3, row),
      mappingLimit: this.#unsigned(4, row),
      mappingOffset: this.#unsigned(5, row),
      address: this.#unsigned(6, row),
      inlined: this.#inlined[row] !== 0,
      folded: this.#folded[row] !== 0,
      frameType: this.#text(3, row),
    };
  }

  #text(at: number, row: number): string {
    const { dictionary, indices } = this.#texts[at] as TextColumn;
    return dictionary[indices[row] as number] as string;
  }

  #signed(at: number, row: number): bigint {
    return this.#numbers[at]?.[row] ?? 0n;
  }

  #unsigned(at: number, row: number): bigint {
    return BigInt.asUintN(64, this.#signed(at, row));
  }

  #size(rowCount: number): number {
    const kept = this.#numbers.filter((values) => values !== undefined).length;
    // Two references to names, four indices of texts, two flags.
    let size = rowCount * (2 * 8 + 4 * 4 + 2 + kept * 8);
    for (let row = 0; row < rowCount; row++) {
      const functionName = this.#functionName[row] as string;
      const systemName = this.#systemName[row] as string;
      size += STRING_BYTES + functionName.length;
      if (systemName !== functionName) size += STRING_BYTES + systemName.length;
    }
    for (const { dictionary } of this.#texts) {
      for (const text of dictionary) size += STRING_BYTES + text.length;
    }
    return size;
  }
}
