import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';

// Tenants become parts of object keys and file names: nothing that any of them gives a meaning, no leading dot.
const TENANT_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** Whose the data is where a call names no tenant. */
export const TENANT_DEFAULT = 'anonymous';

/** Separates the tenants of one query, as in Pyroscope; no tenant's name can hold it. */
const TENANT_SEPARATOR = '|';

/**
 * The tenants that a query reads as if they were one: sorted, each once. Throws `invalid` PS_TENANT for a bad name or
 * too many.
 */
export function queriedTenantIds(text: string): readonly string[] {
  const tenantIds = [...new Set(text.split(TENANT_SEPARATOR))].sort();
  if (tenantIds.length > LIMITS.queryTenantsMax) {
    throw invalid(
      'PS_TENANT',
      `cannot query tenants: got ${tenantIds.length}; want at most ${LIMITS.queryTenantsMax}`,
    );
  }
  for (const tenantId of tenantIds) checkTenantId(tenantId);
  return tenantIds;
}

/** Throws `invalid` PS_TENANT. */
export function checkTenantId(tenantId: string): void {
  if (tenantId.length > LIMITS.tenantBytesMax) {
    throw invalid(
      'PS_TENANT',
      `cannot accept tenant: got ${tenantId.length} characters; want at most ${LIMITS.tenantBytesMax}`,
    );
  }
  if (!TENANT_PATTERN.test(tenantId)) {
    throw invalid(
      'PS_TENANT',
      `cannot accept tenant: got ${JSON.stringify(tenantId)}; want letters, digits, _ . - and no leading . or -`,
    );
  }
}
