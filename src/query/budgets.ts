/** What one query may spend, by tenant. */
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { checkTenantId, queriedTenantIds } from '../model/tenant-id.js';

export interface QueryBudget {
  /** Time of one query, in milliseconds. */
  readonly deadlineMs: number;
  /** Rows of samples that it reads. */
  readonly rowsMax: number;
  /** Nodes of the merged call tree: some 40 bytes of memory each. */
  readonly nodesMax: number;
  /** Different labels of samples, where an answer tells samples apart by them: some 500 bytes of memory each. */
  readonly labelSetsMax: number;
  /** Groups times steps of a time series. */
  readonly pointsMax: number;
}

/** What it does not say is as for every tenant. */
export interface QueryBudgetRule extends Partial<QueryBudget> {
  /** Default: every tenant that has no rule of its own for it. */
  readonly tenantId?: string;
}

export const DEFAULT_BUDGET: QueryBudget = {
  deadlineMs: LIMITS.queryDeadlineMs,
  rowsMax: LIMITS.queryRowsMax,
  nodesMax: LIMITS.queryNodesMax,
  labelSetsMax: LIMITS.queryLabelSetsMax,
  pointsMax: LIMITS.queryPointsMax,
};

type Name = keyof QueryBudget;

const NAMES = Object.keys(DEFAULT_BUDGET) as readonly Name[];

export class QueryBudgets {
  readonly #base: QueryBudget;
  readonly #rules: readonly QueryBudgetRule[];

  /** Throws `invalid` PS_QUERY_BUDGET, PS_TENANT. */
  constructor(base: Partial<QueryBudget>, rules: readonly QueryBudgetRule[]) {
    this.#base = budgetOf((name) => base[name] ?? DEFAULT_BUDGET[name]);
    this.#rules = rules;
    if (rules.length > LIMITS.queryBudgetsMax) {
      throw badBudget(`${rules.length} rules`, `at most ${LIMITS.queryBudgetsMax}`);
    }
    for (const rule of rules) {
      if (rule.tenantId !== undefined) checkTenantId(rule.tenantId);
      for (const name of NAMES) {
        const value = rule[name];
        if (value === undefined || (Number.isSafeInteger(value) && value > 0)) continue;
        throw badBudget(`${name} ${value}`, 'a whole number above 0');
      }
    }
  }

  /** Of a query that reads these tenants (`a|b`): the least of each, so that nobody gains by asking for others too. */
  of(tenantIds: string): QueryBudget {
    const budgets = queriedTenantIds(tenantIds).map((tenantId) => this.#ofOne(tenantId));
    return budgetOf((name) => Math.min(...budgets.map((budget) => budget[name])));
  }

  #ofOne(tenantId: string): QueryBudget {
    const own = this.#rules.filter((rule) => rule.tenantId === tenantId);
    const common = this.#rules.filter((rule) => rule.tenantId === undefined);
    return budgetOf(
      (name) =>
        [...own, ...common].find((rule) => rule[name] !== undefined)?.[name] ?? this.#base[name],
    );
  }
}

function budgetOf(get: (name: Name) => number): QueryBudget {
  return {
    deadlineMs: get('deadlineMs'),
    rowsMax: get('rowsMax'),
    nodesMax: get('nodesMax'),
    labelSetsMax: get('labelSetsMax'),
    pointsMax: get('pointsMax'),
  };
}

function badBudget(got: string, want: string): Error {
  return invalid('PS_QUERY_BUDGET', `cannot bound queries: got ${got}; want ${want}`);
}

const RULE_PATTERN =
  /^(?:([A-Za-z0-9_][A-Za-z0-9_.-]*)=)?((?:[a-z-]+:[0-9a-z]+)(?:\/[a-z-]+:[0-9a-z]+)*)$/;
const KEYS: Readonly<Record<string, Name>> = {
  deadline: 'deadlineMs',
  rows: 'rowsMax',
  nodes: 'nodesMax',
  'label-sets': 'labelSetsMax',
  points: 'pointsMax',
};
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `deadline:10s/rows:50000000`, `team-a=nodes:100000/points:5000`. Throws `invalid` PS_QUERY_BUDGET. */
export function parseBudgetRule(text: string): QueryBudgetRule {
  const match = RULE_PATTERN.exec(text);
  const [, tenantId, parts = ''] = match ?? [];
  const values = new Map<Name, number>();
  for (const part of parts.split('/')) {
    const [key = '', value = ''] = part.split(':');
    const name = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    const number = name === 'deadlineMs' ? durationMs(value) : count(value);
    if (name === undefined || number === undefined || values.has(name)) {
      throw badBudget(
        JSON.stringify(text.slice(0, 200)),
        'TENANT=deadline:10s/rows:50000000/nodes:100000/label-sets:50000/points:5000, each once, the tenant optional',
      );
    }
    values.set(name, number);
  }
  return { ...(tenantId === undefined ? {} : { tenantId }), ...Object.fromEntries(values) };
}

function count(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function durationMs(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (UNIT_MS[unit] ?? 0);
}
