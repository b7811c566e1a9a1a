import { checkTenantId, queriedTenantIds, TENANT_DEFAULT } from '../model/tenant-id.js';

/** Metadata and header that name the tenant. */
export const TENANT_HEADER = 'x-scope-orgid';

/** The tenants of a read, which may be several (`a|b`). Throws `invalid` PS_TENANT. */
export function queriedTenantsOf(value: string | undefined): string {
  if (value === undefined || value === '') return TENANT_DEFAULT;
  return queriedTenantIds(value).join('|');
}

/** The tenant of a call. Throws `invalid` PS_TENANT. */
export function tenantOf(value: string | undefined): string {
  if (value === undefined || value === '') return TENANT_DEFAULT;
  checkTenantId(value);
  return value;
}
