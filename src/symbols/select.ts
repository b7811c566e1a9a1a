/** Which series a selector takes, and which of its matchers are left for the samples' own labels. */
import type { CompiledMatcher } from '../model/matcher.js';
import { compileMatcher } from '../model/matcher.js';
import {
  labelValue,
  PROFILE_NAME,
  PROFILE_TYPE,
  PROFILE_TYPE_PARTS,
  SERVICE_NAME,
  SERVICE_NAME_ALIAS,
} from '../model/labels.js';
import { formatProfileType, profileTypesOf } from '../model/profile-type.js';
import { parseSelector } from '../model/selector.js';
import { type Series, seriesKey } from '../model/series.js';
import type { LabelSetTable } from './source.js';

export type CompiledSelector = readonly CompiledMatcher[];

/** Throws `invalid` PS_SELECTOR_* or PS_REGEX_*. */
export function compileSelector(text: string): CompiledSelector {
  return parseSelector(text).map(compileMatcher);
}

/** What a query needs of a series again and again, made once for each series object. */
interface SeriesFacts {
  readonly key: string;
  readonly typeIds: readonly string[];
}

const factsOf = new WeakMap<Series, SeriesFacts>();

function seriesFacts(series: Series): SeriesFacts {
  const known = factsOf.get(series);
  if (known !== undefined) return known;
  const facts = { key: seriesKey(series), typeIds: profileTypesOf(series).map(formatProfileType) };
  factsOf.set(series, facts);
  return facts;
}

/** `seriesKey`, remembered. */
export function keyOfSeries(series: Series): string {
  return seriesFacts(series).key;
}

/** Profile type ids of the value columns v1 ... v4. */
export function typeIdsOf(series: Series): readonly string[] {
  return seriesFacts(series).typeIds;
}

/** Value of label `name` as selectors and grouping see it for one value column; undefined if the series has no such label. */
export function seriesLabel(series: Series, typeId: string, name: string): string | undefined {
  if (name === SERVICE_NAME || name === SERVICE_NAME_ALIAS) return series.service;
  if (name === PROFILE_NAME) return series.profileName;
  if (name === PROFILE_TYPE) return typeId;
  const part = PROFILE_TYPE_PARTS.indexOf(name);
  const value = part < 0 ? labelValue(series.labels, name) : typeId.split(':')[part + 1];
  return value === '' ? undefined : value;
}

/** Names that every series has a value for, whatever its sender said. */
export function isVirtualLabel(name: string): boolean {
  return (
    name === SERVICE_NAME ||
    name === SERVICE_NAME_ALIAS ||
    name === PROFILE_NAME ||
    name === PROFILE_TYPE ||
    PROFILE_TYPE_PARTS.includes(name)
  );
}

const NONE_DEFERRED: CompiledSelector = [];

/**
 * Undefined if the series does not match; else the matchers whose names are not labels of the series, to be tested
 * against each sample's own labels.
 */
export function matchSeries(
  selector: CompiledSelector,
  series: Series,
  typeId: string,
): CompiledSelector | undefined {
  let deferred = NONE_DEFERRED;
  for (const matcher of selector) {
    const value = seriesLabel(series, typeId, matcher.name);
    if (value === undefined) deferred = [...deferred, matcher];
    else if (!matcher.test(value)) return undefined;
  }
  return deferred;
}

/** Equal for equal lists of deferred matchers of one selector. */
export function deferredKey(selector: CompiledSelector, deferred: CompiledSelector): string {
  return deferred.map((m) => selector.indexOf(m)).join();
}

/**
 * 1 for each label set that passes, or undefined when all do. A name with several values passes if one of them does. `check` is
 * called again and again, and may throw.
 */
export function labelSetMask(
  deferred: CompiledSelector,
  labelSets: LabelSetTable,
  check: () => void = () => undefined,
): Uint8Array | undefined {
  if (deferred.length === 0) return undefined;
  const mask = new Uint8Array(labelSets.count);
  let passed = 0;
  for (let index = 0; index < labelSets.count; index++) {
    check();
    const { strings } = labelSets.labels(index);
    const passes = deferred.every((matcher) => {
      const own = strings.filter((label) => label.name === matcher.name);
      return own.length === 0 ? matcher.test('') : own.some((label) => matcher.test(label.value));
    });
    if (passes) {
      mask[index] = 1;
      passed++;
    }
  }
  return passed === labelSets.count ? undefined : mask;
}
