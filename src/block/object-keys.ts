import { blocksPrefix } from '../manifest/object-keys.js';
import type { TableName } from './types.js';

/** The prefix of all objects of a block. */
export function blockObjects(tenantId: string, blockId: string): string {
  return `${blocksPrefix(tenantId)}${blockId}/`;
}

export function tableKey(tenantId: string, blockId: string, table: TableName): string {
  return `${blockObjects(tenantId, blockId)}${table}.parquet`;
}

export function metaKey(tenantId: string, blockId: string): string {
  return `${blockObjects(tenantId, blockId)}meta`;
}
