/**
 * A profile type names one value of a profile: `name:sample_type:sample_unit:period_type:period_unit`, for example
 * `process_cpu:cpu:nanoseconds:cpu:nanoseconds`. No part holds a colon. The name and the sample type are never empty;
 * units and the period may be, for senders that gave none.
 */
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Series } from './series.js';

export interface ProfileType {
  readonly name: string;
  readonly sampleType: string;
  readonly sampleUnit: string;
  readonly periodType: string;
  readonly periodUnit: string;
}

/** A type and its unit, as pprof pairs them. */
export interface TypeUnit {
  readonly type: string;
  readonly unit: string;
}

const PARTS = 5;
const SHAPE = 'name:sample_type:sample_unit:period_type:period_unit';

export function formatProfileType(type: ProfileType): string {
  return `${type.name}:${type.sampleType}:${type.sampleUnit}:${type.periodType}:${type.periodUnit}`;
}

/** Throws `invalid` PS_PROFILE_TYPE. */
export function parseProfileType(text: string): ProfileType {
  const shown = JSON.stringify(text.slice(0, 128));
  if (text.length > LIMITS.labelNameBytesMax * PARTS) {
    throw invalid(
      'PS_PROFILE_TYPE',
      `cannot parse profile type: got ${text.length} characters; want ${SHAPE}`,
    );
  }
  const parts = text.split(':');
  if (parts.length !== PARTS) {
    throw invalid('PS_PROFILE_TYPE', `cannot parse profile type: got ${shown}; want ${SHAPE}`);
  }
  const [name, sampleType, sampleUnit, periodType, periodUnit] = parts as [
    string,
    string,
    string,
    string,
    string,
  ];
  if (name === '' || sampleType === '') {
    throw invalid(
      'PS_PROFILE_TYPE',
      `cannot parse profile type: got ${shown}; want a name and a sample type`,
    );
  }
  return { name, sampleType, sampleUnit, periodType, periodUnit };
}

/** The profile types of a series, in the order of its value columns v1 ... v4. */
export function profileTypesOf(series: Series): readonly ProfileType[] {
  return series.sampleTypes.map((sample) => ({
    name: series.profileName,
    sampleType: sample.type,
    sampleUnit: sample.unit,
    periodType: series.periodType,
    periodUnit: series.periodUnit,
  }));
}

/**
 * Checks one part (a name, a type or a unit) that a sender gave; `what` names it in the message. Throws `invalid`
 * PS_PROFILE_TYPE.
 */
export function checkTypePart(what: string, part: string): void {
  if (part.length > LIMITS.labelNameBytesMax) {
    throw invalid(
      'PS_PROFILE_TYPE',
      `cannot accept ${what}: got ${part.length} characters; want at most ${LIMITS.labelNameBytesMax}`,
    );
  }
  if (part.includes(':')) {
    throw invalid(
      'PS_PROFILE_TYPE',
      `cannot accept ${what}: got ${JSON.stringify(part.slice(0, 128))}; want no ':'`,
    );
  }
}

/** Sample types that decide a profile's name when the sender gave none; the first of them that is present does. */
const NAME_BY_SAMPLE_TYPE: ReadonlyMap<string, string> = new Map([
  ['cpu', 'process_cpu'],
  ['inuse_space', 'memory'],
  ['inuse_objects', 'memory'],
  ['alloc_space', 'memory'],
  ['alloc_objects', 'memory'],
  ['alloc_in_new_tlab_bytes', 'memory'],
  ['alloc_in_new_tlab_objects', 'memory'],
  ['space', 'memory'],
  ['goroutine', 'goroutines'],
  ['goroutines', 'goroutines'],
  ['wall', 'wall'],
  ['threadcreate', 'threadcreate'],
  ['off_cpu', 'off_cpu'],
]);

/**
 * The profile's name when the sender gave no `__name__`. Go's mutex and block profiles look alike; only a period type
 * that says `block` makes one a block profile. What is not known is named by its period type, else by its last sample
 * type, which is pprof's default one.
 */
export function deriveProfileName(sampleTypes: readonly TypeUnit[], period: TypeUnit): string {
  for (const { type } of sampleTypes) {
    const name = NAME_BY_SAMPLE_TYPE.get(type);
    if (name !== undefined) return name;
    if (type === 'contentions' || type === 'delay')
      return period.type === 'block' ? 'block' : 'mutex';
  }
  if (period.type === 'cpu') return 'process_cpu';
  if (period.type !== '') return period.type;
  return sampleTypes.at(-1)?.type ?? '';
}
