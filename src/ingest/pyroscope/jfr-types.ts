/** What the kinds of events of a JFR recording are called as profiles. */
import type { JfrKind } from '../../formats/jfr/jfr.js';
import type { TypeUnit } from '../../model/profile-type.js';

export interface JfrProfileType {
  readonly profileName: string;
  readonly sampleTypes: readonly TypeUnit[];
  readonly period: TypeUnit;
  /** Values are numbers of samples, each of which stands for one interval of sampling. */
  readonly isTimed: boolean;
}

function timed(profileName: string, type: string): JfrProfileType {
  const of = { type, unit: 'nanoseconds' };
  return { profileName, sampleTypes: [of], period: of, isTimed: true };
}

function counted(
  profileName: string,
  period: TypeUnit,
  types: readonly (readonly [string, string])[],
): JfrProfileType {
  const sampleTypes = types.map(([type, unit]) => ({ type, unit }));
  return { profileName, sampleTypes, period, isTimed: false };
}

const SPACE: TypeUnit = { type: 'space', unit: 'bytes' };

function allocated(what: string): JfrProfileType {
  return counted('memory', SPACE, [
    [`${what}_objects`, 'count'],
    [`${what}_bytes`, 'bytes'],
  ]);
}

function waited(profileName: string): JfrProfileType {
  return counted(profileName, { type: profileName, unit: 'count' }, [
    ['contentions', 'count'],
    ['delay', 'nanoseconds'],
  ]);
}

export const JFR_TYPES: Readonly<Record<JfrKind, JfrProfileType>> = {
  cpu: timed('process_cpu', 'cpu'),
  wall: timed('wall', 'wall'),
  'alloc-in-tlab': allocated('alloc_in_new_tlab'),
  'alloc-outside-tlab': allocated('alloc_outside_tlab'),
  'alloc-sample': allocated('alloc_sample'),
  lock: waited('mutex'),
  park: waited('block'),
  live: counted('memory', { type: 'objects', unit: 'count' }, [['live', 'count']]),
  malloc: counted('malloc', SPACE, [
    ['malloc_objects', 'count'],
    ['malloc_bytes', 'bytes'],
  ]),
};
