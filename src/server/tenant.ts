import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';

/** Metadata and header that name the tenant. */
export const TENANT_HEADER = 'x-scope-orgid';
export const TENANT_DEFAULT = 'anonymous';

// Tenants become parts of object keys and file names: nothing that any of them gives a meaning, no leading dot.
const TENANT_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** The tenant of a call. Throws `invalid` PS_TENANT. */
export function tenantOf(value: string | undefined): string {
  if (value === undefined || value === '') return TENANT_DEFAULT;
  if (value.length > LIMITS.tenantBytesMax) {
    throw invalid(
      'PS_TENANT',
      `cannot accept ${TENANT_HEADER}: got ${value.length} characters; want at most ${LIMITS.tenantBytesMax}`,
    );
  }
  if (!TENANT_PATTERN.test(value)) {
    throw invalid(
      'PS_TENANT',
      `cannot accept ${TENANT_HEADER}: got ${JSON.stringify(value)}; want letters, digits, _ . - and no leading . or -`,
    );
  }
  return value;
}
