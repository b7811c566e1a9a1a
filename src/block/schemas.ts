/**
 * The tables of a block, format versions 1 to 3 (docs/format/block.md). A field id is never used again for something else.
 * Columns that most reads take together lie together, so that one ranged read gets them.
 */
import type { ColumnType, TableSchema } from '../columnar/table.js';
import type { ColumnEncoding } from '../parquet/writer.js';
import { ROLLUP_WIDTHS, type RollupWidth } from '../model/rollup-width.js';
import type { TableName } from './types.js';

export const BLOCK_FORMAT_VERSION = 3;
/** The oldest that is read. Version 2 is version 1 with sums. */
export const OLDEST_BLOCK_FORMAT_VERSION = 1;
/** The first whose row groups of `samples` lie by key (row-order.ts) and have no time. */
export const BY_KEY_FORMAT_VERSION = 3;
/** The first whose `meta` is deflated: of the footers in it, three quarters. */
export const DEFLATED_META_VERSION = 3;

export interface BlockTable {
  readonly name: TableName;
  readonly schema: TableSchema;
  readonly rowGroupRows: number;
  /** What is not named is dictionary-encoded. */
  readonly encodings: Readonly<Record<string, ColumnEncoding>>;
}

/** Rows of a row group of `samples`: a query reads whole column chunks of it. */
export const SAMPLE_ROW_GROUP_ROWS = 65_536;
const SMALL_ROW_GROUP_ROWS = 65_536;
/** A merge holds one row group of profiles of each input, with their ids and comments. */
export const PROFILE_ROW_GROUP_ROWS = 8_192;

/** Fields as `name:type`, numbered from 1 in the order of their lines. */
function schema(...fields: readonly `${string}:${ColumnType}`[]): TableSchema {
  return {
    fields: fields.map((field, index) => {
      const [name, type] = field.split(':') as [string, ColumnType];
      return { name, type, id: index + 1 };
    }),
  };
}

export const PROFILES: BlockTable = {
  name: 'profiles',
  schema: schema(
    'block_id:dictionary',
    'service:dictionary',
    'profile_name:dictionary',
    'profile:int32',
    'series:int32',
    'start:timestamp',
    'duration_ns:int64',
    'period:int64',
    'flags:int32',
    'total_1:int64',
    'total_2:int64',
    'total_3:int64',
    'total_4:int64',
    'sample_count:int32',
    'first_row:int64',
    'profile_id:utf8',
    'comments:list-utf8',
    'drop_frames:dictionary',
    'keep_frames:dictionary',
    'default_sample_type:dictionary',
    'doc_url:dictionary',
  ),
  rowGroupRows: PROFILE_ROW_GROUP_ROWS,
  encodings: {
    profile: 'delta',
    series: 'delta',
    start: 'delta',
    sample_count: 'delta',
    first_row: 'delta',
    profile_id: 'delta-length',
  },
};

/** `profiles` of a block with sums. */
export const PROFILES_WITH_SUMS: BlockTable = {
  ...PROFILES,
  schema: {
    fields: [
      ...PROFILES.schema.fields,
      { name: 'profile_count', type: 'int32', id: PROFILES.schema.fields.length + 1 },
    ],
  },
};

/** `samples` of a block before version 3. */
export const SAMPLES_WITH_TIME: BlockTable = {
  name: 'samples',
  schema: schema(
    'block_id:dictionary',
    'service:dictionary',
    'profile_name:dictionary',
    'series:int32',
    'time:timestamp',
    'profile:int32',
    'key:int32',
    'v1:int64',
    'v2:int64',
    'v3:int64',
    'v4:int64',
  ),
  rowGroupRows: SAMPLE_ROW_GROUP_ROWS,
  encodings: { series: 'delta', time: 'delta', profile: 'delta', key: 'delta' },
};

export const SAMPLES: BlockTable = {
  ...SAMPLES_WITH_TIME,
  schema: { fields: SAMPLES_WITH_TIME.schema.fields.filter(({ name }) => name !== 'time') },
  encodings: { series: 'delta', profile: 'delta', key: 'delta' },
};

export const KEYS: BlockTable = {
  name: 'keys',
  schema: schema(
    'block_id:dictionary',
    'service:dictionary',
    'key:int32',
    'node:int32',
    'label_set:int32',
    'labels:map',
    'numeric_labels:list-numeric',
  ),
  rowGroupRows: SMALL_ROW_GROUP_ROWS,
  encodings: { key: 'delta', node: 'delta' },
};

export const NODES: BlockTable = {
  name: 'nodes',
  schema: schema(
    'block_id:dictionary',
    'service:dictionary',
    'node:int32',
    'parent:int32',
    'frame:int32',
    'first_key:int32',
    'end_key:int32',
    'depth:int32',
    'outermost:bool',
  ),
  rowGroupRows: SMALL_ROW_GROUP_ROWS,
  encodings: {
    node: 'delta',
    parent: 'delta',
    frame: 'delta',
    first_key: 'delta',
    end_key: 'delta',
    depth: 'delta',
  },
};

export const FRAMES: BlockTable = {
  name: 'frames',
  schema: schema(
    'block_id:dictionary',
    'frame:int32',
    'frame_id:int64',
    'function:utf8',
    'system_name:utf8',
    'file:dictionary',
    'line:int64',
    'column:int64',
    'start_line:int64',
    'mapping_file:dictionary',
    'build_id:dictionary',
    'mapping_start:int64',
    'mapping_limit:int64',
    'mapping_offset:int64',
    'address:int64',
    'inlined:bool',
    'folded:bool',
    'frame_type:dictionary',
  ),
  rowGroupRows: SMALL_ROW_GROUP_ROWS,
  encodings: { frame: 'delta', frame_id: 'plain', line: 'delta', start_line: 'delta' },
};

export const SERIES: BlockTable = {
  name: 'series',
  schema: schema(
    'block_id:dictionary',
    'series:int32',
    'service:dictionary',
    'profile_name:dictionary',
    'period_type:dictionary',
    'period_unit:dictionary',
    'value_group:int32',
    'type_1:dictionary',
    'unit_1:dictionary',
    'temporality_1:dictionary',
    'type_2:dictionary',
    'unit_2:dictionary',
    'temporality_2:dictionary',
    'type_3:dictionary',
    'unit_3:dictionary',
    'temporality_3:dictionary',
    'type_4:dictionary',
    'unit_4:dictionary',
    'temporality_4:dictionary',
    'labels:map',
    'profile_count:int64',
    'start_min:timestamp',
    'start_max:timestamp',
    'rollup_series:int32',
    'rollup_labels:map',
  ),
  rowGroupRows: SMALL_ROW_GROUP_ROWS,
  encodings: { series: 'delta', rollup_series: 'delta' },
};

/** Values of a rollup series in a bucket, by key. */
function rollupTable(width: RollupWidth): BlockTable {
  return {
    name: `rollup_${width}`,
    schema: schema(
      'block_id:dictionary',
      'service:dictionary',
      'profile_name:dictionary',
      'rollup_series:int32',
      'bucket:timestamp',
      'key:int32',
      'count:int32',
      'sum_1:int64',
      'sum_2:int64',
      'sum_3:int64',
      'sum_4:int64',
      'squares_1:float64',
      'squares_2:float64',
      'squares_3:float64',
      'squares_4:float64',
    ),
    rowGroupRows: SAMPLE_ROW_GROUP_ROWS,
    encodings: { rollup_series: 'delta', bucket: 'delta', key: 'delta' },
  };
}

/** What stands behind a bucket of a rollup: the profiles of each series in it. */
function tileTable(width: RollupWidth): BlockTable {
  return {
    name: `tiles_${width}`,
    schema: schema(
      'block_id:dictionary',
      'service:dictionary',
      'profile_name:dictionary',
      'series:int32',
      'bucket:timestamp',
      'profile_count:int32',
      'start_min:timestamp',
      'duration_ns:int64',
      'period_max:int64',
      'total_1:int64',
      'total_2:int64',
      'total_3:int64',
      'total_4:int64',
      'first_row:int64',
      'row_count:int32',
      'metadata:list-utf8',
    ),
    rowGroupRows: SMALL_ROW_GROUP_ROWS,
    encodings: {
      series: 'delta',
      bucket: 'delta',
      start_min: 'delta',
      first_row: 'delta',
      row_count: 'delta',
    },
  };
}

export const ROLLUPS: Readonly<
  Record<RollupWidth, { readonly rows: BlockTable; readonly tiles: BlockTable }>
> = {
  '5m': { rows: rollupTable('5m'), tiles: tileTable('5m') },
  '1h': { rows: rollupTable('1h'), tiles: tileTable('1h') },
  '1d': { rows: rollupTable('1d'), tiles: tileTable('1d') },
};

/** The tables that every block has, in the order in which a writer ends them. */
export const BLOCK_TABLES: readonly BlockTable[] = [SERIES, PROFILES, SAMPLES, KEYS, NODES, FRAMES];

/** The tables that a block has where rollups save something. */
export const ROLLUP_TABLES: readonly BlockTable[] = ROLLUP_WIDTHS.flatMap((width) => [
  ROLLUPS[width].rows,
  ROLLUPS[width].tiles,
]);
