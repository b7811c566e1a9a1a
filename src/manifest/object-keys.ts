/**
 * Names of the objects that the manifest and what it refers to live in (docs/format/manifest.md). A tenant id is one
 * part of a key, whatever characters it has.
 */

/** Digits of a version in a key: enough for 2^64, so that keys sort like versions. */
const VERSION_DIGITS = 20;

const UNSAFE_BYTE = /^\.|[^A-Za-z0-9_.-]/g;

/**
 * A tenant id as one path part: letters, digits, `_`, `-` and any dot but a leading one as they are, every other byte
 * of its UTF-8 as `%XX`.
 */
export function tenantPathPart(tenantId: string): string {
  const bytes = Buffer.from(tenantId, 'utf8').toString('latin1');
  return bytes.replace(
    UNSAFE_BYTE,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** The inverse of `tenantPathPart`; undefined for a part that it cannot have made. */
export function tenantFromPathPart(part: string): string | undefined {
  const bytes = part.replace(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const tenantId = Buffer.from(bytes, 'latin1').toString('utf8');
  return tenantId !== '' && tenantPathPart(tenantId) === part ? tenantId : undefined;
}

export const MANIFEST_PREFIX = 'manifest/';

export function manifestPrefix(tenantId: string): string {
  return `${MANIFEST_PREFIX}${tenantPathPart(tenantId)}/`;
}

export function manifestKey(tenantId: string, version: number): string {
  return manifestPrefix(tenantId) + String(version).padStart(VERSION_DIGITS, '0');
}

/** The version that a manifest key names; undefined for any other key. */
export function versionFromKey(key: string): number | undefined {
  const digits = key.slice(key.lastIndexOf('/') + 1);
  if (digits.length !== VERSION_DIGITS || !/^[0-9]+$/.test(digits)) return undefined;
  const version = Number(digits);
  return Number.isSafeInteger(version) && version > 0 ? version : undefined;
}

/** Not under the manifests, so that listing those gives versions only. */
export function boundaryKey(tenantId: string): string {
  return `manifest-boundary/${tenantPathPart(tenantId)}`;
}

export const CARRY_PREFIX = 'carry/';

export function carryPrefix(tenantId: string): string {
  return `${CARRY_PREFIX}${tenantPathPart(tenantId)}/`;
}

export function carryKey(tenantId: string, id: string): string {
  return carryPrefix(tenantId) + id;
}

export const BLOCKS_PREFIX = 'blocks/';

/** All blocks of a tenant, live or not; what is in one is the business of src/block. */
export function blocksPrefix(tenantId: string): string {
  return `${BLOCKS_PREFIX}${tenantPathPart(tenantId)}/`;
}
