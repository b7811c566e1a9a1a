/**
 * How long profiles are kept, by tenant and labels of the series. The first rule that fits a series decides; a series that
 * none fits is kept for ever. Queries hide what is past its age at once; compaction takes it out for good, and puts sums
 * in the place of what is old enough for them.
 */
import { crc32c } from '../base/crc32c.js';
import { invalid, type StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { ROLLUP_WIDTHS, type RollupWidth } from '../model/rollup-width.js';
import type { Series } from '../model/series.js';
import { checkTenantId } from '../model/tenant-id.js';
import { type CompiledSelector, compileSelector, matchSeries } from '../symbols/select.js';

export interface RetentionRule {
  /** Default: every tenant. */
  readonly tenantId?: string;
  /** Default: every series. A label that a series does not have counts as empty. */
  readonly selector?: string;
  /** Age of a profile's start from which on it is gone, in milliseconds. Default: never. */
  readonly keepMs?: number;
  /** From which ages on sums stand for profiles: rising ages, widths that get wider. Default: never. */
  readonly sums?: readonly SumAge[];
}

export interface SumAge {
  /** Age of the newest profile of a block, in milliseconds. */
  readonly afterMs: number;
  /** One sum for each rolled-up series and bucket of this width. */
  readonly width: RollupWidth;
}

interface CompiledRule {
  readonly tenantId: string | undefined;
  readonly selectorText: string;
  readonly selector: CompiledSelector;
  readonly keepMs: number | undefined;
  readonly sums: readonly SumAge[];
}

/** How wide the sums of a series are to be; undefined where profiles stay as they were sent. */
export type WidthOf = (series: Series) => RollupWidth | undefined;

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
    this.#rules = rules.map(({ tenantId, selector = '', keepMs, sums = [] }) => {
      if (tenantId !== undefined) checkTenantId(tenantId);
      checkAges(keepMs, sums);
      const compiled = compileSelector(selector);
      return { tenantId, selectorText: selector, selector: compiled, keepMs, sums };
    });
  }

  /** Undefined for a tenant whose profiles are all kept for ever. */
  cutoffOf(tenantId: string, nowMs: number): CutoffOf | undefined {
    const rules = this.#rulesOf(tenantId);
    if (rules.length === 0) return undefined;
    return (series) => {
      const keepMs = rules.find(({ selector }) => fits(selector, series))?.keepMs;
      return keepMs === undefined ? undefined : BigInt(nowMs - keepMs) * NS_PER_MS;
    };
  }

  /** What becomes sums in a block of this age; undefined when nothing does. */
  widthOf(tenantId: string, ageMs: number): WidthOf | undefined {
    const rules = this.#rulesOf(tenantId);
    if (!rules.some((rule) => reachedWidth(rule, ageMs) !== undefined)) return undefined;
    return (series) => {
      const rule = rules.find(({ selector }) => fits(selector, series));
      return rule === undefined ? undefined : reachedWidth(rule, ageMs);
    };
  }

  /**
   * What the rules say of a block of this age, as a short text: as long as it stays the same, applying them again changes
   * nothing. '' when no rule reaches it.
   */
  stamp(tenantId: string, ageMs: number): string {
    const rules = this.#rulesOf(tenantId);
    const reached = rules.map(({ keepMs, sums }) => {
      const ages = [...sums.map((sum) => sum.afterMs), ...(keepMs === undefined ? [] : [keepMs])];
      return ages.filter((age) => age < ageMs).length;
    });
    if (reached.every((count) => count === 0)) return '';
    const text = JSON.stringify(
      rules.map((r, i) => [r.selectorText, r.keepMs, r.sums, reached[i]]),
    );
    return crc32c(Buffer.from(text)).toString(16);
  }

  /** The age past which nothing of a tenant is left; undefined when there is none. */
  lastAgeMs(tenantId: string): number | undefined {
    const rules = this.#rulesOf(tenantId);
    if (rules.at(-1)?.selector.length !== 0) return undefined;
    const ages = rules.map((rule) => rule.keepMs ?? Number.POSITIVE_INFINITY);
    const last = Math.max(...ages);
    return Number.isFinite(last) ? last : undefined;
  }

  /** Up to the first that fits every series: the others never decide. */
  #rulesOf(tenantId: string): readonly CompiledRule[] {
    const own = this.#rules.filter((r) => r.tenantId === undefined || r.tenantId === tenantId);
    const whole = own.findIndex((rule) => rule.selector.length === 0);
    return whole < 0 ? own : own.slice(0, whole + 1);
  }
}

function reachedWidth({ sums }: CompiledRule, ageMs: number): RollupWidth | undefined {
  return sums.findLast(({ afterMs }) => afterMs < ageMs)?.width;
}

function checkAges(keepMs: number | undefined, sums: readonly SumAge[]): void {
  const ages = [...sums.map((sum) => sum.afterMs), ...(keepMs === undefined ? [] : [keepMs])];
  const short = ages.find((age) => !Number.isSafeInteger(age) || age < LIMITS.retentionMsMin);
  if (short !== undefined) {
    throw badRule(`${short} ms`, `at least ${LIMITS.retentionMsMin}`);
  }
  const isRising = ages.every((age, i) => age > (ages[i - 1] ?? 0));
  const widths = sums.map(({ width }) => ROLLUP_WIDTHS.indexOf(width));
  const isWidening = widths.every((width, i) => width > (widths[i - 1] ?? -1));
  if (isRising && isWidening) return;
  throw badRule('ages or widths out of order', 'ages that rise and sums that get wider');
}

function badRule(got: string, want: string): StoreError {
  return invalid('PS_RETENTION', `cannot keep profiles: got ${got}; want ${want}`);
}

function fits(selector: CompiledSelector, series: Series): boolean {
  const deferred = matchSeries(selector, series, '');
  return deferred?.every((matcher) => matcher.test('')) === true;
}

const AGE = String.raw`\d{1,6}[hdwy]`;
const WIDTH = `(?:${ROLLUP_WIDTHS.join('|')})`;
const RULE_PATTERN = new RegExp(
  String.raw`^(?:([A-Za-z0-9_][A-Za-z0-9_.-]*)?(\{.*\})?=)?(${AGE}(?:/${WIDTH}:${AGE})*(?:/${WIDTH})?)$`,
  's',
);
const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/**
 * `30d`, `team-a=7d`, `{env="dev"}=3d`, `team-a{env="dev"}=12h`; `7d/1h:30d/1d:2y`: as sent for 7 days, then sums of an
 * hour until 30 days, then of a day until 2 years; `7d/1h`: sums for ever. Throws `invalid` PS_RETENTION.
 */
export function parseRetentionRule(text: string): RetentionRule {
  const match = RULE_PATTERN.exec(text);
  if (match === null) {
    throw invalid(
      'PS_RETENTION',
      `cannot read retention rule: got ${JSON.stringify(text.slice(0, 200))}; want TENANT{SELECTOR}=AGE such as 30d, team-a=7d, {env="dev"}=12h, or with sums of 5m, 1h or 1d 7d/1h:1y`,
    );
  }
  const [, tenantId, selector, ages] = match;
  const [first, ...rest] = (ages as string).split('/') as [string, ...string[]];
  const sums: SumAge[] = [];
  let keepMs: number | undefined = ageMs(first);
  for (const part of rest) {
    const [width, age] = part.split(':') as [RollupWidth, string | undefined];
    sums.push({ afterMs: keepMs as number, width });
    keepMs = age === undefined ? undefined : ageMs(age);
  }
  return {
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(selector === undefined ? {} : { selector }),
    ...(keepMs === undefined ? {} : { keepMs }),
    ...(sums.length === 0 ? {} : { sums }),
  };
}

function ageMs(text: string): number {
  return Number(text.slice(0, -1)) * (UNIT_MS[text.slice(-1)] as number);
}
