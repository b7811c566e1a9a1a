/** The body of `POST /ingest` as profiles to store. */
import { invalid } from '../../base/errors.js';
import { readCallTree } from '../../formats/call-tree/call-tree.js';
import { type JfrKind, readJfr } from '../../formats/jfr/jfr.js';
import { NO_JFR_LABELS, readJfrLabels } from '../../formats/jfr/jfr-labels.js';
import { inflateProfile } from '../../formats/pprof/inflate.js';
import { subtractPprof, type ValueTypeNames } from '../../formats/pprof/subtract.js';
import { readFolded } from '../../formats/folded/folded.js';
import {
  boundaryOf,
  isMultipart,
  type Part,
  readMultipart,
} from '../../formats/multipart/multipart.js';
import { readSpeedscope } from '../../formats/speedscope/speedscope.js';
import type { Rejected } from '../../formats/stacks/rejected.js';
import { StackProfile } from '../../formats/stacks/stack-profile.js';
import { type Label, PROFILE_NAME, SERVICE_NAME } from '../../model/labels.js';
import { temporalityOf } from '../../model/temporality.js';
import type { WriteRequest } from '../api.js';
import type { PyroscopeBody, PyroscopeQuery } from './body.js';
import { JFR_TYPES } from './jfr-types.js';
import { readSampleTypeConfig } from './sample-type-config.js';
import {
  CPU_SAMPLES,
  requireTypedApp,
  scaled,
  SPACE,
  type TextType,
  typedApp,
} from './text-types.js';

export interface Conversion {
  readonly writes: readonly WriteRequest[];
  /** What was dropped on the way. */
  readonly rejections: readonly Rejected[];
}

/** Throws `invalid`: PS_INGEST_*, PS_MULTIPART, PS_PPROF_*, PS_STACKS_*, and the code of the format. */
export function pyroscopeWrites(request: PyroscopeBody): Conversion {
  const { query, contentType } = request;
  const body = inflateProfile(request.body);
  switch (query.format) {
    case 'pprof':
      return isMultipart(contentType)
        ? pprofParts(query, readMultipart(body, boundaryOf(contentType)))
        : { writes: [pprofWrite(query, body, [])], rejections: [] };
    case 'folded':
    case 'lines': {
      const kind = query.format;
      return stacksWrite(query, (profile) => readFolded(body, kind, profile));
    }
    case 'trie':
    case 'tree': {
      const kind = query.format;
      return stacksWrite(query, (profile) => {
        readCallTree(body, kind, profile);
        return [];
      });
    }
    case 'speedscope':
      return speedscopeWrites(query, body);
    case 'jfr':
      return jfrWrites(query, contentType, body);
  }
}

/** Labels and writer of every profile of the request; the labels of `extra` win. */
function sourceOf(
  query: PyroscopeQuery,
  app: string,
  extra: readonly Label[],
): Pick<WriteRequest, 'labels' | 'writer'> {
  const labels = new Map([['pyroscope_spy', query.spyName]]);
  for (const { name, value } of query.labels) labels.set(name, value);
  labels.set(labels.has(SERVICE_NAME) ? 'app_name' : SERVICE_NAME, app);
  for (const { name, value } of extra) labels.set(name, value);
  return {
    labels: Array.from(labels, ([name, value]) => ({ name, value })),
    ...(query.writer === undefined ? {} : { writer: query.writer }),
  };
}

/** The agents of `/ingest` send what was used since their last request, whether or not the profile has a duration. */
function pprofWrite(
  query: PyroscopeQuery,
  profile: Uint8Array,
  extra: readonly Label[],
): WriteRequest {
  return {
    ...sourceOf(query, query.appName, extra),
    profile,
    temporality: 'delta',
    ...(query.fromNs === undefined ? {} : { fallbackStartNs: query.fromNs }),
  };
}

/**
 * `profile`, and as a sender likes `sample_type_config` and `prev_profile`. With a previous profile the values of its
 * counters are what was counted since: the difference is stored. It is the sender who knows which two profiles are of
 * one process; by their labels alone two processes may look like one.
 */
function pprofParts(query: PyroscopeQuery, parts: readonly Part[]): Conversion {
  const profile = requiredPart(parts, 'profile');
  const config = readSampleTypeConfig(partOf(parts, 'sample_type_config'));
  const extra =
    config.profileName === '' ? [] : [{ name: PROFILE_NAME, value: config.profileName }];
  const write = pprofWrite(query, profile, extra);
  const previous = partOf(parts, 'prev_profile');
  if (previous !== undefined && previous.length > 0) {
    const isCounter = ({ type }: ValueTypeNames): boolean =>
      config.cumulative.get(type) ?? isCumulativeType(type);
    const difference = subtractPprof(inflateProfile(profile), inflateProfile(previous), isCounter);
    return { writes: [{ ...write, profile: difference }], rejections: [] };
  }
  if (![...config.cumulative.values()].includes(true)) return { writes: [write], rejections: [] };
  const end = query.untilNs ?? query.fromNs;
  const counters = end === undefined ? {} : { fallbackStartNs: end };
  return { writes: [{ ...write, temporality: 'cumulative', ...counters }], rejections: [] };
}

/** Whether a type is a counter where nobody says so. */
function isCumulativeType(sampleType: string): boolean {
  return temporalityOf({ sampleType, periodType: '', durationNs: 0n }) === 'cumulative';
}

function partOf(parts: readonly Part[], name: string): Uint8Array | undefined {
  return parts.find((part) => part.name === name)?.content;
}

function requiredPart(parts: readonly Part[], name: string): Uint8Array {
  const content = partOf(parts, name);
  if (content !== undefined) return content;
  const names = parts.map((part) => part.name.slice(0, 32)).join(', ');
  throw invalid(
    'PS_INGEST_PART',
    `cannot read multipart body: got parts ${JSON.stringify(names)}; want ${name}`,
  );
}

/** A body of stacks and one value each, of which the application's name tells the type. */
function stacksWrite(
  query: PyroscopeQuery,
  read: (profile: StackProfile) => readonly Rejected[],
): Conversion {
  const { app, type } = requireTypedApp(query.appName);
  const profile = new StackProfile(1);
  const dropped = read(profile);
  const rejections = [...dropped, ...profile.rejections];
  return { writes: [stackWrite(query, { app, type, profile, extra: [] })], rejections };
}

/** One profile of the store for each of the file. The unit of its values says the type, where the name does not. */
function speedscopeWrites(query: PyroscopeQuery, body: Uint8Array): Conversion {
  const profiles = readSpeedscope(body);
  const writes = profiles.map(({ name, unit, stacks: profile }) => {
    const named = typedApp(query.appName);
    const wanted = unit === 'none' ? 'count' : unit === 'bytes' ? 'bytes' : 'nanoseconds';
    const isInterval = unit === 'none' && named?.type.scale === 'interval';
    const fits = named !== undefined && (isInterval || named.type.unit === wanted);
    const { app, type } = fits ? named : { app: query.appName, type: UNIT_TYPES[wanted] };
    const isTime = wanted === 'nanoseconds';
    const extra = name === '' ? [] : [{ name: 'profile_name', value: name }];
    // Times are nanoseconds already.
    const scale = isTime ? 1n : type.scale;
    return stackWrite(query, { app, type: { ...type, scale }, profile, extra });
  });
  return { writes, rejections: profiles.flatMap(({ stacks }) => stacks.rejections) };
}

const UNIT_TYPES: Readonly<Record<'count' | 'bytes' | 'nanoseconds', TextType>> = {
  count: CPU_SAMPLES,
  nanoseconds: CPU_SAMPLES,
  bytes: SPACE,
};

/** The recording is the part `jfr` of a form, and `labels` says what its context ids stand for; or it is the body. */
function jfrWrites(query: PyroscopeQuery, contentType: string, body: Uint8Array): Conversion {
  const isForm = isMultipart(contentType);
  const parts = isForm ? readMultipart(body, boundaryOf(contentType)) : [];
  const recording = isForm ? inflateProfile(requiredPart(parts, 'jfr')) : body;
  const labels = partOf(parts, 'labels');
  const { profiles, event } = readJfr(
    recording,
    labels === undefined ? NO_JFR_LABELS : readJfrLabels(inflateProfile(labels)),
  );
  const extra = event === '' ? [] : [{ name: 'jfr_event', value: event }];
  const writes = Array.from(profiles, ([kind, profile]) =>
    jfrWrite(query, { kind, profile, extra }),
  );
  return { writes, rejections: [...profiles.values()].flatMap((profile) => profile.rejections) };
}

interface JfrProfile {
  readonly kind: JfrKind;
  readonly profile: StackProfile;
  readonly extra: readonly Label[];
}

function jfrWrite(query: PyroscopeQuery, { kind, profile, extra }: JfrProfile): WriteRequest {
  const { profileName, sampleTypes, period, isTimed } = JFR_TYPES[kind];
  const header = {
    ...timesOf(query),
    sampleTypes,
    periodType: period.type,
    periodUnit: period.unit,
    period: isTimed ? BigInt(Math.round(1e9 / query.sampleRate)) : 0n,
  };
  const scale = isTimed ? scaled(CPU_SAMPLES, query.sampleRate) : undefined;
  return {
    ...sourceOf(query, query.appName, [...extra, { name: PROFILE_NAME, value: profileName }]),
    profile: profile.toPprof(header, scale),
    temporality: 'delta',
  };
}

interface Stacks {
  readonly app: string;
  readonly type: TextType;
  readonly profile: StackProfile;
  readonly extra: readonly Label[];
}

function stackWrite(query: PyroscopeQuery, stacks: Stacks): WriteRequest {
  const { app, type, profile } = stacks;
  const { sampleRate } = query;
  const header = {
    ...timesOf(query),
    sampleTypes: [{ type: type.type, unit: type.unit }],
    periodType: type.periodType,
    periodUnit: type.periodUnit,
    period: type.scale === 'interval' ? BigInt(Math.round(1e9 / sampleRate)) : 0n,
  };
  const name = { name: PROFILE_NAME, value: type.profileName };
  return {
    ...sourceOf(query, app, [...stacks.extra, name]),
    profile: profile.toPprof(header, scaled(type, sampleRate)),
    temporality: 'delta',
  };
}

function timesOf(query: PyroscopeQuery): { timeNs: bigint; durationNs: bigint } {
  const { fromNs = 0n, untilNs = 0n } = query;
  return { timeNs: fromNs, durationNs: fromNs > 0n && untilNs > fromNs ? untilNs - fromNs : 0n };
}
