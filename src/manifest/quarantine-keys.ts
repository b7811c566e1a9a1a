import { tenantPathPart } from './object-keys.js';

/** What repairs put aside; nothing reads it, and nothing but a person deletes it. */
export const QUARANTINE_PREFIX = 'quarantine/';

export function quarantinePrefix(tenantId: string): string {
  return `${QUARANTINE_PREFIX}${tenantPathPart(tenantId)}/`;
}

/** Where an object of the tenant is moved to: its own key below the tenant's quarantine. */
export function quarantineKey(tenantId: string, key: string): string {
  return quarantinePrefix(tenantId) + key;
}
