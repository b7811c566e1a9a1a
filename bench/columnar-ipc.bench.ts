/**
 * What one small Arrow IPC stream costs to write and read: a commit of level 0 holds several. One JSON line a figure.
 *
 *     npx tsx bench/columnar-ipc.bench.ts [--quick]
 */
import { decodeIpcStream } from '../src/columnar/ipc-decode.js';
import { encodeIpcStream } from '../src/columnar/ipc-encode.js';
import type { ColumnTable } from '../src/columnar/table.js';
import { isQuick, printFigure } from './support/figures.js';

const ROWS = 500;
const ROUNDS = isQuick ? 500 : 5_000;
const BUDGET_US = 60;

const schema = {
  fields: (['int32', 'int64', 'int64', 'dictionary'] as const).map((type, i) => ({
    name: `c${i}`,
    type,
    id: i + 1,
  })),
};
const table: ColumnTable = {
  schema,
  rowCount: ROWS,
  columns: [
    { type: 'int32', values: new Int32Array(ROWS) },
    { type: 'int64', values: new BigInt64Array(ROWS) },
    { type: 'int64', values: new BigInt64Array(ROWS) },
    { type: 'dictionary', indices: new Int32Array(ROWS), dictionary: ['a', 'b'] },
  ],
};

/** CPU microseconds of one call. */
function cpuUs(call: () => void): number {
  for (let i = 0; i < 200; i++) call();
  const before = process.cpuUsage();
  for (let i = 0; i < ROUNDS; i++) call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / ROUNDS;
}

const bytes = encodeIpcStream(table);
const compare = [{ to: 'budget', value: BUDGET_US }];
const detail = { columns: schema.fields.length, rows: ROWS, sizeBytes: bytes.length };
const unit = 'us';
const encodeUs = cpuUs(() => encodeIpcStream(table));
printFigure({ figure: 'IPC stream, encode', value: encodeUs, unit, compare, detail });
const knownUs = cpuUs(() => decodeIpcStream(bytes, schema));
printFigure({ figure: 'IPC stream, decode, schema known', value: knownUs, unit, compare, detail });
const unknownUs = cpuUs(() => decodeIpcStream(bytes));
printFigure({ figure: 'IPC stream, decode, any schema', value: unknownUs, unit, compare, detail });
