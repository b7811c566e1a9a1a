/** The body of `POST /ingest` as profiles to store. */
import { invalid } from '../../base/errors.js';
import { inflateProfile } from '../../formats/pprof/inflate.js';
import { readFolded } from '../../formats/folded/folded.js';
import {
  boundaryOf,
  isMultipart,
  type Part,
  readMultipart,
} from '../../formats/multipart/multipart.js';
import type { Rejected } from '../../formats/stacks/rejected.js';
import { StackProfile } from '../../formats/stacks/stack-profile.js';
import { type Label, PROFILE_NAME, SERVICE_NAME } from '../../model/labels.js';
import type { WriteRequest } from '../api.js';
import type { PyroscopeBody, PyroscopeQuery } from './body.js';
import { readSampleTypeConfig } from './sample-type-config.js';
import { requireTypedApp, scaled, type TextType } from './text-types.js';

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
    default:
      throw invalid(
        'PS_INGEST_FORMAT',
        `cannot read body: got format ${query.format}; want folded`,
      );
  }
}

/** The labels of every profile of the request; those of `extra` win. */
function labelsOf(query: PyroscopeQuery, app: string, extra: readonly Label[]): readonly Label[] {
  const labels = new Map([['pyroscope_spy', query.spyName]]);
  for (const { name, value } of query.labels) labels.set(name, value);
  labels.set(labels.has(SERVICE_NAME) ? 'app_name' : SERVICE_NAME, app);
  for (const { name, value } of extra) labels.set(name, value);
  return Array.from(labels, ([name, value]) => ({ name, value }));
}

/** The agents of `/ingest` send what was used since their last request, whether or not the profile has a duration. */
function pprofWrite(
  query: PyroscopeQuery,
  profile: Uint8Array,
  extra: readonly Label[],
): WriteRequest {
  return {
    labels: labelsOf(query, query.appName, extra),
    profile,
    temporality: 'delta',
    ...(query.fromNs === undefined ? {} : { fallbackStartNs: query.fromNs }),
  };
}

/**
 * `profile`, and as a sender likes `sample_type_config` and `prev_profile`. With a previous profile the values are
 * counters: both are stored as such, so that the store takes the difference and a sender's next request, which brings
 * this profile again as its previous one, adds nothing twice.
 */
function pprofParts(query: PyroscopeQuery, parts: readonly Part[]): Conversion {
  const profile = requiredPart(parts, 'profile');
  const config = readSampleTypeConfig(partOf(parts, 'sample_type_config'));
  const extra =
    config.profileName === '' ? [] : [{ name: PROFILE_NAME, value: config.profileName }];
  const write = pprofWrite(query, profile, extra);
  const previous = partOf(parts, 'prev_profile');
  if (previous === undefined && !config.isCumulative) return { writes: [write], rejections: [] };
  const end = query.untilNs ?? query.fromNs;
  const writes: WriteRequest[] = [
    { ...write, temporality: 'cumulative', ...(end === undefined ? {} : { fallbackStartNs: end }) },
  ];
  if (previous !== undefined && previous.length > 0) {
    writes.unshift({ ...write, profile: previous, temporality: 'cumulative' });
  }
  return { writes, rejections: [] };
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
  const rejections = read(profile);
  return { writes: [stackWrite(query, { app, type, profile, extra: [] })], rejections };
}

interface Stacks {
  readonly app: string;
  readonly type: TextType;
  readonly profile: StackProfile;
  readonly extra: readonly Label[];
}

function stackWrite(query: PyroscopeQuery, stacks: Stacks): WriteRequest {
  const { app, type, profile } = stacks;
  const { fromNs = 0n, untilNs = 0n, sampleRate } = query;
  const header = {
    sampleTypes: [{ type: type.type, unit: type.unit }],
    periodType: type.periodType,
    periodUnit: type.periodUnit,
    period: type.scale === 'interval' ? BigInt(Math.round(1e9 / sampleRate)) : 0n,
    timeNs: fromNs,
    durationNs: fromNs > 0n && untilNs > fromNs ? untilNs - fromNs : 0n,
  };
  const name = { name: PROFILE_NAME, value: type.profileName };
  return {
    labels: labelsOf(query, app, [...stacks.extra, name]),
    profile: profile.toPprof(header, scaled(type, sampleRate)),
    temporality: 'delta',
  };
}
