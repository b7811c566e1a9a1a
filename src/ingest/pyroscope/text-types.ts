/**
 * What the values of a body without types mean: folded stacks, tries and trees say it by the last part of the
 * application's name (`shop.alloc_space`). A name of one part is CPU.
 */
import { invalid } from '../../base/errors.js';

export interface TextType {
  readonly profileName: string;
  readonly type: string;
  readonly unit: string;
  /** Empty when there is none. */
  readonly periodType: string;
  readonly periodUnit: string;
  /** Values are numbers of samples, each of which stands for one interval of sampling; else how many units a value is. */
  readonly scale: 'interval' | bigint;
}

function timed(profileName: string, type: string): TextType {
  return {
    profileName,
    type,
    unit: 'nanoseconds',
    periodType: type,
    periodUnit: 'nanoseconds',
    scale: 'interval',
  };
}

function plain(profileName: string, type: string, unit: string, scale = 1n): TextType {
  return { profileName, type, unit, periodType: '', periodUnit: '', scale };
}

export const CPU_SAMPLES: TextType = timed('process_cpu', 'cpu');

export const SPACE: TextType = plain('memory', 'space', 'bytes');

const BY_SUFFIX: ReadonlyMap<string, TextType> = new Map([
  ['cpu', CPU_SAMPLES],
  ['itimer', CPU_SAMPLES],
  ['wall', timed('wall', 'wall')],
  ['inuse_objects', plain('memory', 'inuse_objects', 'count')],
  ['inuse_space', plain('memory', 'inuse_space', 'bytes')],
  ['alloc_objects', plain('memory', 'alloc_objects', 'count')],
  ['alloc_space', plain('memory', 'alloc_space', 'bytes')],
  ['alloc_in_new_tlab_objects', plain('memory', 'alloc_in_new_tlab_objects', 'count')],
  ['alloc_in_new_tlab_bytes', plain('memory', 'alloc_in_new_tlab_bytes', 'bytes')],
  ['alloc_outside_tlab_objects', plain('memory', 'alloc_outside_tlab_objects', 'count')],
  ['alloc_outside_tlab_bytes', plain('memory', 'alloc_outside_tlab_bytes', 'bytes')],
  ['live', plain('memory', 'live', 'count')],
  ['bytes', SPACE],
  ['goroutines', plain('goroutines', 'goroutine', 'count')],
  ['mutex_count', plain('mutex', 'contentions', 'count')],
  ['mutex_duration', plain('mutex', 'delay', 'nanoseconds')],
  ['lock_count', plain('mutex', 'contentions', 'count')],
  ['lock_duration', plain('mutex', 'delay', 'nanoseconds')],
  ['block_count', plain('block', 'contentions', 'count')],
  ['block_duration', plain('block', 'delay', 'nanoseconds')],
  ['exceptions', plain('exceptions', 'exceptions', 'count')],
  ['nanoseconds', plain('wall', 'wall', 'nanoseconds')],
  ['microseconds', plain('wall', 'wall', 'nanoseconds', 1_000n)],
  ['milliseconds', plain('wall', 'wall', 'nanoseconds', 1_000_000n)],
  ['seconds', plain('wall', 'wall', 'nanoseconds', 1_000_000_000n)],
]);

export interface TypedApp {
  /** The application's name without the part that says the type. */
  readonly app: string;
  readonly type: TextType;
}

/** The type that a name says, or undefined when its last part is none. */
export function typedApp(appName: string): TypedApp | undefined {
  const dot = appName.lastIndexOf('.');
  if (dot <= 0) return { app: appName, type: CPU_SAMPLES };
  const type = BY_SUFFIX.get(appName.slice(dot + 1));
  return type === undefined ? undefined : { app: appName.slice(0, dot), type };
}

/** Throws `invalid` PS_INGEST_TYPE. */
export function requireTypedApp(appName: string): TypedApp {
  const typed = typedApp(appName);
  if (typed !== undefined) return typed;
  const shown = JSON.stringify(appName.slice(-64));
  const suffixes = [...BY_SUFFIX.keys()].join(', ');
  throw invalid(
    'PS_INGEST_TYPE',
    `cannot tell the profile type: got name ${shown}; want its last part to be one of ${suffixes}`,
  );
}

/** The sum of a stack in the type's unit. */
export function scaled(type: TextType, sampleRate: number): (sum: bigint) => bigint {
  const { scale } = type;
  if (scale !== 'interval') return (sum) => sum * scale;
  const rate = BigInt(sampleRate);
  const half = rate / 2n;
  return (sum) => (sum * 1_000_000_000n + (sum < 0n ? -half : half)) / rate;
}
