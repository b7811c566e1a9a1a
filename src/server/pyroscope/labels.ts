/** Labels as Pyroscope lists them: with those that it derives, and without names that old clients cannot read. */
import {
  PROFILE_NAME,
  PROFILE_TYPE,
  PROFILE_TYPE_PARTS,
  SERVICE_NAME,
  SERVICE_NAME_ALIAS,
} from '../../model/labels.js';
import type { SeriesLabels } from '../../query/api.js';

/** Names that every series has. */
const DERIVED_NAMES: ReadonlySet<string> = new Set([
  PROFILE_NAME,
  PROFILE_TYPE,
  ...PROFILE_TYPE_PARTS,
  SERVICE_NAME,
  SERVICE_NAME_ALIAS,
]);

export function isDerivedName(name: string): boolean {
  return DERIVED_NAMES.has(name);
}

const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const CAPABILITY = 'allow-utf8-labelnames';

/** Whether the caller says, as a parameter of `accept`, that it reads any name. */
export function readsAnyName(accept: string | null): boolean {
  return (accept ?? '')
    .split(/[;,]/)
    .some((part) => part.trim().toLowerCase().replaceAll(' ', '') === `${CAPABILITY}=true`);
}

function isShownName(name: string, anyName: boolean): boolean {
  return anyName || PLAIN_NAME.test(name);
}

/** Of samples: nearly each has values of its own, and nobody picks one from a list. Selectors and filters know them. */
const IDS: ReadonlySet<string> = new Set(['profile_id', 'span_id', 'trace_id']);

/** The names of a list to choose from, with the derived ones where there are any; sorted. */
export function listedNames(names: Iterable<string>, anyName: boolean): string[] {
  const all = new Set(names);
  if (all.size > 0) for (const name of DERIVED_NAMES) all.add(name);
  return [...all].filter((name) => !IDS.has(name) && isShownName(name, anyName)).sort();
}

/** The labels of a listed series with the derived ones, sorted by name; those of `names` only where there are any. */
export function listedLabels(
  series: SeriesLabels,
  names: readonly string[],
  anyName: boolean,
): { name: string; value: string }[] {
  const all: Record<string, string> = { ...series };
  const parts = (series[PROFILE_TYPE] ?? '').split(':');
  PROFILE_TYPE_PARTS.forEach((name, i) => {
    all[name] = parts[i + 1] ?? '';
  });
  all[SERVICE_NAME_ALIAS] = series[SERVICE_NAME] ?? '';
  const wanted = names.length === 0 ? Object.keys(all) : [...new Set(names)];
  return wanted
    .filter((name) => isShownName(name, anyName) && (all[name] ?? '') !== '')
    .sort()
    .map((name) => ({ name, value: all[name] ?? '' }));
}
