/** A block's `meta` object to and from bytes (docs/format/block.md). */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { corrupt, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import {
  type BlockMeta as BlockMetaMessage,
  BlockMetaSchema,
  type BlockRollup as BlockRollupMessage,
  type BlockSums as BlockSumsMessage,
  type BlockTable as BlockTableMessage,
} from '../gen/basalt/storage/v1/block_pb.js';
import { type EnvelopeKind, seal, unseal } from '../manifest/envelope.js';
import { decodeBlockLineage, encodeBlockLineage } from '../manifest/lineage-codec.js';
import {
  BLOCK_FORMAT_VERSION,
  BLOCK_TABLES,
  DEFLATED_META_VERSION,
  OLDEST_BLOCK_FORMAT_VERSION,
  ROLLUP_TABLES,
} from './schemas.js';
import type {
  BlockMeta,
  BlockSums,
  ColumnChunkMeta,
  RollupMeta,
  RowGroupMeta,
  ServiceMeta,
  TableMeta,
} from './types.js';
import { ROLLUP_WIDTHS, type RollupWidth } from '../model/rollup-width.js';

const META: EnvelopeKind = {
  noun: 'block meta',
  magic: 'BSLTBLCK',
  version: BLOCK_FORMAT_VERSION,
  oldestVersion: OLDEST_BLOCK_FORMAT_VERSION,
  deflatedVersion: DEFLATED_META_VERSION,
  sizeBytesMax: LIMITS.blockMetaBytesMax,
};

/** `PAR1`; the first column chunk follows it. */
export const PARQUET_MAGIC_BYTES = 4;

export function encodeBlockMeta(meta: BlockMeta): Uint8Array {
  const message = create(BlockMetaSchema, {
    blockId: meta.blockId,
    tenantId: meta.tenantId,
    level: meta.level,
    createdMs: BigInt(meta.createdMs),
    startNsMin: meta.startNsMin,
    startNsMax: meta.startNsMax,
    profileCount: BigInt(meta.profileCount),
    sampleCount: BigInt(meta.sampleCount),
    valueMagnitudeMax: [...meta.valueMagnitudeMax],
    services: meta.services.map((service) => ({
      service: service.service,
      firstKeyRow: BigInt(service.firstKeyRow),
      keyCount: service.keyCount,
      firstNodeRow: BigInt(service.firstNodeRow),
      nodeCount: service.nodeCount,
      labelSetCount: service.labelSetCount,
      profileTypes: [...service.profileTypes],
      rollups: service.rollups.map((rollup) => ({
        profileName: rollup.profileName,
        width: rollup.width,
        firstTile: BigInt(rollup.firstTile),
        tileCount: rollup.tileCount,
        hasRows: rollup.hasRows,
        firstRow: BigInt(rollup.firstRow),
        rowCount: BigInt(rollup.rowCount),
      })),
    })),
    tables: meta.tables.map((table) => ({
      name: table.table,
      sizeBytes: BigInt(table.sizeBytes),
      rowCount: BigInt(table.rowCount),
      footer: table.footer,
      columns: (table.rowGroups[0]?.columns ?? []).map((chunk) => chunk.column),
      rowGroups: table.rowGroups.map((group) => ({
        rowCount: group.rowCount,
        sizeBytes: group.columns.map((chunk) => chunk.sizeBytes),
        crc32c: group.columns.map((chunk) => chunk.crc32c),
      })),
    })),
    lineage: encodeBlockLineage(meta.lineage),
    ...(meta.sums === undefined
      ? {}
      : { sums: { width: meta.sums.width, droppedLabels: [...meta.sums.droppedLabels] } }),
  });
  return seal({ ...META, version: meta.formatVersion }, toBinary(BlockMetaSchema, message));
}

/** Throws `corrupt` PS_ENVELOPE_*, PS_BLOCK_META. */
export function decodeBlockMeta(bytes: Uint8Array): BlockMeta {
  const { version, body } = unseal(META, bytes);
  let message: BlockMetaMessage;
  try {
    message = fromBinary(BlockMetaSchema, body);
  } catch (cause) {
    throw new StoreError({
      kind: 'corrupt',
      code: 'PS_BLOCK_META',
      message: `cannot read block meta: got ${String(cause)}; want a protobuf message`,
      cause,
    });
  }
  const magnitudes = message.valueMagnitudeMax;
  if (magnitudes.length !== 4) throw badMeta(`${magnitudes.length} magnitudes`, '4');
  return {
    formatVersion: version,
    blockId: message.blockId,
    tenantId: message.tenantId,
    level: message.level,
    createdMs: Number(message.createdMs),
    startNsMin: message.startNsMin,
    startNsMax: message.startNsMax,
    profileCount: Number(message.profileCount),
    sampleCount: Number(message.sampleCount),
    valueMagnitudeMax: magnitudes as unknown as BlockMeta['valueMagnitudeMax'],
    services: message.services.map(
      (service): ServiceMeta => ({
        service: service.service,
        firstKeyRow: Number(service.firstKeyRow),
        keyCount: service.keyCount,
        firstNodeRow: Number(service.firstNodeRow),
        nodeCount: service.nodeCount,
        labelSetCount: service.labelSetCount,
        profileTypes: service.profileTypes,
        rollups: service.rollups.map(decodeRollup),
      }),
    ),
    tables: decodeTables(message.tables),
    lineage: decodeBlockLineage(message.lineage),
    ...(message.sums === undefined ? {} : { sums: decodeSums(message.sums) }),
  };
}

function badMeta(got: string, want: string): StoreError {
  return corrupt('PS_BLOCK_META', `cannot read block meta: got ${got}; want ${want}`);
}

function decodeWidth(text: string): RollupWidth {
  const width = ROLLUP_WIDTHS.find((known) => known === text);
  if (width === undefined) throw badMeta(`a bucket of ${text}`, ROLLUP_WIDTHS.join());
  return width;
}

function decodeSums({ width, droppedLabels }: BlockSumsMessage): BlockSums {
  return { width: decodeWidth(width), droppedLabels };
}

function decodeRollup(message: BlockRollupMessage): RollupMeta {
  return {
    profileName: message.profileName,
    width: decodeWidth(message.width),
    firstTile: Number(message.firstTile),
    tileCount: message.tileCount,
    hasRows: message.hasRows,
    firstRow: Number(message.firstRow),
    rowCount: Number(message.rowCount),
  };
}

function decodeTables(messages: readonly BlockTableMessage[]): TableMeta[] {
  const isThere = ({ name }: { readonly name: string }): boolean =>
    messages.some((table) => table.name === name);
  return [...BLOCK_TABLES, ...ROLLUP_TABLES.filter(isThere)].map(({ name }) => {
    const found = messages.filter((table) => table.name === name);
    const [message] = found;
    if (message === undefined || found.length > 1) {
      throw badMeta(`${found.length} tables called ${name}`, '1');
    }
    const rowGroups: RowGroupMeta[] = [];
    let firstRow = 0;
    let offset = PARQUET_MAGIC_BYTES;
    for (const group of message.rowGroups) {
      const count = message.columns.length;
      if (group.sizeBytes.length !== count || group.crc32c.length !== count) {
        throw badMeta(`${group.sizeBytes.length} column chunks in ${name}`, String(count));
      }
      const columns = message.columns.map((column, c): ColumnChunkMeta => {
        const sizeBytes = group.sizeBytes[c] as number;
        const chunk = { column, offset, sizeBytes, crc32c: group.crc32c[c] as number };
        offset += sizeBytes;
        return chunk;
      });
      rowGroups.push({ firstRow, rowCount: group.rowCount, columns });
      firstRow += group.rowCount;
    }
    const { footer } = message;
    const sizeBytes = Number(message.sizeBytes);
    const rowCount = Number(message.rowCount);
    if (firstRow !== rowCount) throw badMeta(`${firstRow} rows in ${name}`, String(rowCount));
    if (offset + footer.length !== sizeBytes) {
      throw badMeta(`${offset + footer.length} bytes in ${name}`, String(sizeBytes));
    }
    return { table: name, sizeBytes, rowCount, footer, rowGroups };
  });
}
