/**
 * speedscope's JSON (https://www.speedscope.app/file-format-schema.json): a table of frames, and profiles that are either
 * *sampled* (stacks from the root and a weight each) or *evented* (frames opened and closed at times).
 */
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import { EMPTY_FRAME, type Frame } from '../../model/frame.js';
import { NO_LABELS, ROOT, StackProfile } from '../stacks/stack-profile.js';

export type SpeedscopeUnit =
  | 'none'
  | 'nanoseconds'
  | 'microseconds'
  | 'milliseconds'
  | 'seconds'
  | 'bytes';

export interface SpeedscopeProfile {
  readonly name: string;
  readonly unit: SpeedscopeUnit;
  /** One value a stack: nanoseconds for every unit of time. */
  readonly stacks: StackProfile;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** What one of a unit counts for. */
const SCALES: ReadonlyMap<string, number> = new Map([
  ['none', 1],
  ['bytes', 1],
  ['nanoseconds', 1],
  ['microseconds', 1e3],
  ['milliseconds', 1e6],
  ['seconds', 1e9],
]);

function broken(got: string, want: string): StoreError {
  return invalid('PS_SPEEDSCOPE', `cannot read speedscope profile: got ${got}; want ${want}`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listIn(holder: JsonObject, field: string): readonly unknown[] {
  const list = holder[field];
  if (Array.isArray(list)) return list;
  throw broken(`${field} that is no list`, 'a list');
}

function numberIn(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw broken(`${what} that is no number`, 'a number');
}

function wholeNumber(value: number): bigint {
  const rounded = Math.round(value);
  if (Math.abs(rounded) <= 2 ** 63) return BigInt(rounded);
  throw broken(`value ${value}`, 'one that fits in 64 bits');
}

/** Throws `invalid`: PS_SPEEDSCOPE, PS_STACKS_TOO_LARGE. */
export function readSpeedscope(bytes: Uint8Array): readonly SpeedscopeProfile[] {
  if (bytes.length > LIMITS.speedscopeBytesMax) {
    throw broken(`${bytes.length} bytes`, `at most ${LIMITS.speedscopeBytesMax}`);
  }
  let file: unknown;
  try {
    file = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw broken(error instanceof Error ? error.message : String(error), 'JSON');
  }
  if (!isObject(file) || !isObject(file['shared'])) throw broken('no shared', 'shared.frames');
  const frames = listIn(file['shared'], 'frames').map(frameOf);
  const profiles = listIn(file, 'profiles');
  if (profiles.length > LIMITS.speedscopeProfilesMax) {
    throw broken(`${profiles.length} profiles`, `at most ${LIMITS.speedscopeProfilesMax}`);
  }
  return profiles.map((profile) => readProfile(profile, frames));
}

function frameOf(value: unknown): Frame {
  if (!isObject(value) || typeof value['name'] !== 'string') {
    throw broken('a frame without a name', 'a name');
  }
  const { name, file, line, col } = value;
  const place = (number: unknown): bigint =>
    typeof number === 'number' && number > 0 && Number.isSafeInteger(number) ? BigInt(number) : 0n;
  return {
    ...EMPTY_FRAME,
    functionName: name,
    fileName: typeof file === 'string' ? file : '',
    line: place(line),
    column: place(col),
  };
}

function readProfile(profile: unknown, frames: readonly Frame[]): SpeedscopeProfile {
  if (!isObject(profile)) throw broken('a profile that is no object', 'an object');
  const { name, type, unit } = profile;
  const scale = SCALES.get(typeof unit === 'string' ? unit : '');
  if (scale === undefined) throw broken('an unknown unit', [...SCALES.keys()].join(', '));
  const stacks = new StackProfile(1);
  const child = (node: number, index: unknown): number => {
    const frame = typeof index === 'number' ? frames[index] : undefined;
    if (frame === undefined) throw broken('a frame that is not in the table', 'its index');
    return stacks.child(
      node,
      stacks.frame(String(index), () => frame),
    );
  };
  if (type === 'sampled') readSampled(profile, { stacks, scale, child });
  else if (type === 'evented') readEvented(profile, { stacks, scale, child });
  else throw broken('a profile of another type', 'sampled or evented');
  return { name: typeof name === 'string' ? name : '', unit: unit as SpeedscopeUnit, stacks };
}

interface Target {
  readonly stacks: StackProfile;
  readonly scale: number;
  readonly child: (node: number, index: unknown) => number;
}

function readSampled(profile: JsonObject, { stacks, scale, child }: Target): void {
  const samples = listIn(profile, 'samples');
  const weights = listIn(profile, 'weights');
  if (weights.length !== samples.length) {
    throw broken(`${samples.length} samples and ${weights.length} weights`, 'one each');
  }
  samples.forEach((sample, index) => {
    if (!Array.isArray(sample)) throw broken('a sample that is no list', 'indexes of frames');
    let node = ROOT;
    for (const frame of sample as unknown[]) node = child(node, frame);
    stacks.add(node, NO_LABELS, [wholeNumber(numberIn(weights[index], 'a weight') * scale)]);
  });
}

/** What passes between two events belongs to the frames that are open then. */
function readEvented(profile: JsonObject, { stacks, scale, child }: Target): void {
  const open: { readonly frame: unknown; readonly node: number }[] = [];
  // Times are rounded, not what lies between them: the parts add up to the whole.
  let last = wholeNumber(numberIn(profile['startValue'] ?? 0, 'startValue') * scale);
  for (const event of listIn(profile, 'events')) {
    if (!isObject(event)) throw broken('an event that is no object', 'an object');
    const at = wholeNumber(numberIn(event['at'], 'at') * scale);
    if (at < last) throw broken('an event before the one before it', 'times in order');
    const node = open.at(-1)?.node ?? ROOT;
    if (open.length > 0 && at > last) stacks.add(node, NO_LABELS, [at - last]);
    last = at;
    if (event['type'] === 'O') {
      open.push({ frame: event['frame'], node: child(node, event['frame']) });
    } else if (event['type'] !== 'C' || open.pop()?.frame !== event['frame']) {
      throw broken('an event that closes another frame than the last', 'O and C in pairs');
    }
  }
}
