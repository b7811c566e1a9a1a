/**
 * How long profiles are kept, by tenant and labels of the series. The first rule that fits a series decides; a series that
 * none fits is kept for ever. Queries hide what is past its age at once; compaction takes it out for good.
 */
import { crc32c } from '../base/crc32c.js';
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Series } from '../model/series.js';
import { checkTenantId } from '../model/tenant-id.js';
import { type CompiledSelector, compileSelector, matchSeries } from '../symbols/select.js';

export interface RetentionRule {
  /** Default: every tenant. */
  readonly tenantId?: string;
  /** Default: every series. A label that a series does not have counts as empty. */
  readonly selector?: string;
  /** Age of a profile's start from which on it is gone, in milliseconds. */
  readonly keepMs: number;
}

interface CompiledRule {
  readonly tenantId: string | undefined;
  readonly selectorText: string;
  readonly selector: CompiledSelector;
  readonly keepMs: number;
}

/** The first start that is kept of a series; undefined where everything is. */
export type CutoffOf = (series: Series) => bigint | undefined;

const NS_PER_MS = 1_000_000n;

export class Retention {
  readonly #rules: readonly CompiledRule[];

  /** Throws `invalid` PS_RETENTION, PS_TENANT, PS_SELECTOR_*. */
  constructor(rules: readonly RetentionRule[]) {
    if (rules.length > LIMITS.retentionRulesMax) {
      throw invalid(
        'PS_RETENTION',
        `cannot keep profiles: got ${rules.length} rules; want at most ${LIMITS.retentionRulesMax}`,
      );
    }
    this.#rules = rules.map(({ tenantId, selector = '', keepMs }) => {
      if (tenantId !== undefined) checkTenantId(tenantId);
      if (!Number.isSafeInteger(keepMs) || keepMs < LIMITS.retentionMsMin) {
        throw invalid(
          'PS_RETENTION',
          `cannot keep profiles: got ${keepMs} ms; want at least ${LIMITS.retentionMsMin}`,
        );
      }
      const compiled = compileSelector(selector);
      return { tenantId, selectorText: selector, selector: compiled, keepMs };
    });
  }

  /** Undefined for a tenant whose profiles are all kept for ever. */
  cutoffOf(tenantId: string, nowMs: number): CutoffOf | undefined {
    const rules = this.#rulesOf(tenantId);
    if (rules.length === 0) return undefined;
    return (series) => {
      const rule = rules.find(({ selector }) => fits(selector, series));
      return rule === undefined ? undefined : BigInt(nowMs - rule.keepMs) * NS_PER_MS;
    };
  }

  /**
   * What the rules say of a block of this age, as a short text: as long as it stays the same, applying them again changes
   * nothing. '' when no rule reaches it.
   */
  stamp(tenantId: string, ageMs: number): string {
    const rules = this.#rulesOf(tenantId);
    const reached = rules.map((rule) => rule.keepMs < ageMs);
    if (!reached.includes(true)) return '';
    const text = JSON.stringify(rules.map((r, i) => [r.selectorText, r.keepMs, reached[i]]));
    return crc32c(Buffer.from(text)).toString(16);
  }

  /** The age past which nothing of a tenant is left; undefined when there is none. */
  lastAgeMs(tenantId: string): number | undefined {
    const rules = this.#rulesOf(tenantId);
    const isWhole = rules.at(-1)?.selector.length === 0;
    return isWhole ? Math.max(...rules.map((rule) => rule.keepMs)) : undefined;
  }

  /** Up to the first that fits every series: the others never decide. */
  #rulesOf(tenantId: string): readonly CompiledRule[] {
    const own = this.#rules.filter((r) => r.tenantId === undefined || r.tenantId === tenantId);
    const whole = own.findIndex((rule) => rule.selector.length === 0);
    return whole < 0 ? own : own.slice(0, whole + 1);
  }
}

function fits(selector: CompiledSelector, series: Series): boolean {
  const deferred = matchSeries(selector, series, '');
  return deferred?.every((matcher) => matcher.test('')) === true;
}

const RULE_PATTERN = /^(?:([A-Za-z0-9_][A-Za-z0-9_.-]*)?(\{.*\})?=)?(\d{1,6})([hdwy])$/s;
const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** `30d`, `team-a=7d`, `{env="dev"}=3d`, `team-a{env="dev"}=12h`. Throws `invalid` PS_RETENTION. */
export function parseRetentionRule(text: string): RetentionRule {
  const match = RULE_PATTERN.exec(text);
  if (match === null) {
    throw invalid(
      'PS_RETENTION',
      `cannot read retention rule: got ${JSON.stringify(text.slice(0, 200))}; want TENANT{SELECTOR}=AGE such as 30d, team-a=7d, {env="dev"}=12h`,
    );
  }
  const [, tenantId, selector, count, unit] = match;
  return {
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(selector === undefined ? {} : { selector }),
    keepMs: Number(count) * (UNIT_MS[unit as string] as number),
  };
}
