/**
 * The tables of a commit (docs/format/segment.md): their numbers, columns and field ids. A table with 64-bit columns
 * has variants, because such a column may be left out or narrow; two bits of the variant say what it is.
 */
import type { ColumnField, TableSchema } from '../columnar/table.js';
import { corrupt } from '../base/errors.js';
import { WIDE_ABSENT, WIDE_INT64, type WideCode, wideField } from './wide-column.js';

interface TableShape {
  readonly name: string;
  readonly number: number;
  readonly fixed: readonly ColumnField[];
  readonly wide: readonly { readonly name: string; readonly id: number }[];
}

const int32 = (name: string, id: number): ColumnField => ({ name, type: 'int32', id });
const int64 = (name: string, id: number): ColumnField => ({ name, type: 'int64', id });
const utf8 = (name: string, id: number): ColumnField => ({ name, type: 'utf8', id });

export const SERIES: TableShape = {
  name: 'series',
  number: 1,
  fixed: [utf8('tenant', 1), utf8('key', 2)],
  wide: [],
};

export const METADATA: TableShape = {
  name: 'metadata',
  number: 2,
  fixed: [utf8('text', 1)],
  wide: [],
};

export const PROFILES: TableShape = {
  name: 'profiles',
  number: 3,
  fixed: [
    int32('series', 1),
    { name: 'start', type: 'timestamp', id: 2 },
    int64('duration', 3),
    int64('period', 4),
    int32('flags', 5),
    utf8('id', 6),
    int32('metadata', 7),
    int32('rows', 8),
  ],
  wide: [],
};

export const STRINGS: TableShape = {
  name: 'strings',
  number: 4,
  fixed: [utf8('text', 1)],
  wide: [],
};

export const FRAMES: TableShape = {
  name: 'frames',
  number: 5,
  fixed: [
    int64('frame_id', 1),
    int32('function', 2),
    int32('system_name', 3),
    int32('file', 4),
    int32('mapping_file', 5),
    int32('build_id', 6),
    int32('frame_type', 7),
    int32('flags', 8),
  ],
  wide: [
    { name: 'line', id: 9 },
    { name: 'column', id: 10 },
    { name: 'start_line', id: 11 },
    { name: 'mapping_start', id: 12 },
    { name: 'mapping_limit', id: 13 },
    { name: 'mapping_offset', id: 14 },
    { name: 'address', id: 15 },
  ],
};

export const NODES: TableShape = {
  name: 'nodes',
  number: 6,
  fixed: [int32('parent', 1), int32('frame', 2)],
  wide: [],
};

export const LABEL_SETS: TableShape = {
  name: 'label_sets',
  number: 7,
  fixed: [utf8('text', 1)],
  wide: [],
};

export const KEYS: TableShape = {
  name: 'keys',
  number: 8,
  fixed: [int32('node', 1), int32('label_set', 2)],
  wide: [],
};

export const SAMPLES: TableShape = {
  name: 'samples',
  number: 9,
  fixed: [int32('key', 1)],
  wide: [
    { name: 'v1', id: 2 },
    { name: 'v2', id: 3 },
    { name: 'v3', id: 4 },
    { name: 'v4', id: 5 },
  ],
};

/** Only in the footer: the profiles of the whole segment, as far as de-duplication needs them. */
export const INDEX_SERIES: TableShape = {
  name: 'index_series',
  number: 32,
  fixed: [utf8('tenant', 1), utf8('key', 2)],
  wide: [],
};

export const INDEX_PROFILES: TableShape = {
  name: 'index_profiles',
  number: 33,
  fixed: [
    int32('series', 1),
    { name: 'start', type: 'timestamp', id: 2 },
    utf8('id', 3),
    int32('flags', 4),
  ],
  wide: [],
};

/** Only in the footer: where the commits lie. */
export const INDEX_COMMITS: TableShape = {
  name: 'index_commits',
  number: 34,
  fixed: [int64('offset', 1), int64('size_bytes', 2), int32('profiles', 3), int32('rows', 4)],
  wide: [],
};

export type CommitTable = TableShape;

export const DATA_TABLES: readonly CommitTable[] = [
  SERIES,
  METADATA,
  PROFILES,
  STRINGS,
  FRAMES,
  NODES,
  LABEL_SETS,
  KEYS,
  SAMPLES,
];
export const FOOTER_TABLES: readonly CommitTable[] = [INDEX_SERIES, INDEX_PROFILES, INDEX_COMMITS];

const schemas = new Map<number, TableSchema>();

/** What wide column `index` of a table is in `variant`. */
export function variantCode(variant: number, index: number): WideCode {
  return ((variant >>> (index * 2)) & 3) as WideCode;
}

/** The same object for the same table and variant. Throws `corrupt` PS_SEGMENT_TABLE for a variant that is none. */
export function schemaOf(table: CommitTable, variant: number): TableSchema {
  const key = table.number * 0x10000 + variant;
  const known = schemas.get(key);
  if (known !== undefined) return known;
  const fields = [...table.fixed];
  for (let i = 0; i < table.wide.length; i++) {
    const code = variantCode(variant, i);
    const field = table.wide[i]!;
    if (code > WIDE_INT64) throw variantError(table, variant);
    if (code !== WIDE_ABSENT) fields.push(wideField(field, code));
  }
  if (variant >>> (table.wide.length * 2) !== 0) throw variantError(table, variant);
  const schema: TableSchema = { fields };
  schemas.set(key, schema);
  return schema;
}

function variantError(table: CommitTable, variant: number): Error {
  return corrupt(
    'PS_SEGMENT_TABLE',
    `cannot read table ${table.name}: got variant ${variant}; want two bits for each of ${table.wide.length} columns`,
  );
}
