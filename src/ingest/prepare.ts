/** From a request to what the commit needs: everything but the look-ups and the rows. */
import { hash128, hash128Hex } from '../base/hash.js';
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { DecodedPprof } from '../formats/pprof/decoded.js';
import { metadataText } from '../log/profile-metadata.js';
import { PROFILE_INCOMPLETE, PROFILE_RECEIPT_TIME } from '../log/segment-view.js';
import type { CutoffOf } from '../manifest/retention.js';
import {
  canonicalLabels,
  type Label,
  PROFILE_NAME,
  SERVICE_NAME,
  UNKNOWN_SERVICE,
} from '../model/labels.js';
import { checkTypePart, deriveProfileName, type TypeUnit } from '../model/profile-type.js';
import { type Series, seriesKey, type Temporality, VALUE_COLUMNS_MAX } from '../model/series.js';
import { temporalityOf } from '../model/temporality.js';
import { checkTotals } from './check-totals.js';
import type { WriteRequest } from './api.js';

/** `false` says that the values are deltas already: agents that subtract by themselves send it. */
const DELTA_LABEL = '__delta__';
const NS_PER_MS = 1_000_000n;

/** Up to four sample types of a profile: one series. */
export interface ProfileGroup {
  readonly seriesKey: string;
  readonly firstType: number;
  readonly typeCount: number;
}

export interface PreparedProfile {
  readonly startNs: bigint;
  readonly durationNs: bigint;
  readonly period: bigint;
  /** Bit set of PROFILE_*. */
  readonly flags: number;
  readonly id: string;
  readonly metadata: string;
  readonly groups: readonly ProfileGroup[];
}

/** The sender's labels, taken apart. */
interface Identity {
  readonly labels: readonly Label[];
  readonly service: string;
  /** Empty when the sender gave none. */
  readonly profileName: string;
  readonly isDelta: boolean;
}

/** Throws `invalid` PS_LABELS_*. */
function identityOf(request: WriteRequest): Identity {
  const labels: Label[] = [];
  let service = '';
  let profileName = '';
  let isDelta = false;
  for (const label of canonicalLabels(request.labels)) {
    if (label.name === PROFILE_NAME) {
      profileName = label.value;
      continue;
    }
    if (label.name === DELTA_LABEL) {
      isDelta = label.value === 'false';
      continue;
    }
    if (label.name === SERVICE_NAME) service = label.value;
    labels.push(label);
  }
  if (service !== '') return { labels, service, profileName, isDelta };
  const named = canonicalLabels([...labels, { name: SERVICE_NAME, value: UNKNOWN_SERVICE }]);
  return { labels: named, service: UNKNOWN_SERVICE, profileName, isDelta };
}

/** Text of a profile's string. */
function textOf(pprof: DecodedPprof, index: number): string {
  if (index === 0) return '';
  const start = pprof.stringStart[index]!;
  const { buffer, byteOffset } = pprof.bytes;
  return Buffer.from(buffer, byteOffset + start, pprof.stringEnd[index]! - start).toString('utf8');
}

export interface PrepareInput {
  readonly request: WriteRequest;
  readonly pprof: DecodedPprof;
  readonly nowMs: number;
  /** What is past its age already. */
  readonly cutoffOf?: CutoffOf | undefined;
}

/** Throws `invalid` PS_LABELS_*, PS_PROFILE_*. */
export function prepareProfile(input: PrepareInput): PreparedProfile {
  const { request, pprof } = input;
  const identity = identityOf(request);
  const sentNs = pprof.timeNs === 0n ? (request.fallbackStartNs ?? 0n) : pprof.timeNs;
  const { startNs, flags } = startOf(sentNs, input.nowMs);
  const groups = groupsOf(input, identity, startNs);
  return {
    startNs,
    durationNs: pprof.durationNs,
    period: pprof.period,
    flags: pprof.rejections.length > 0 ? flags | PROFILE_INCOMPLETE : flags,
    id: profileIdOf(request, groups, pprof.bytes),
    metadata: metadataOf(input),
    groups,
  };
}

/** `sentNs`: 0n when the sender said nothing. */
function startOf(sentNs: bigint, nowMs: number): { startNs: bigint; flags: number } {
  const nowNs = BigInt(nowMs) * NS_PER_MS;
  if (sentNs === 0n) return { startNs: nowNs, flags: PROFILE_RECEIPT_TIME };
  if (sentNs < 0n) {
    throw invalid('PS_PROFILE_TIME', `cannot accept profile: got time ${sentNs}; want 0 or more`);
  }
  if (sentNs > nowNs + BigInt(LIMITS.futureMsMax) * NS_PER_MS) {
    const aheadMs = (sentNs - nowNs) / NS_PER_MS;
    throw invalid(
      'PS_PROFILE_FUTURE',
      `cannot accept profile: got a start ${aheadMs} ms in the future; want at most ${LIMITS.futureMsMax}`,
    );
  }
  return { startNs: sentNs, flags: 0 };
}

function groupsOf(input: PrepareInput, identity: Identity, startNs: bigint): ProfileGroup[] {
  const { request, pprof } = input;
  const period = {
    type: textOf(pprof, pprof.periodType),
    unit: textOf(pprof, pprof.periodUnit),
  };
  const types: TypeUnit[] = [];
  for (let t = 0; t < pprof.sampleTypeCount; t++) {
    const type = textOf(pprof, pprof.sampleTypeType[t]!);
    const unit = textOf(pprof, pprof.sampleTypeUnit[t]!);
    types.push({ type, unit });
  }
  const profileName =
    identity.profileName === '' ? deriveProfileName(types, period) : identity.profileName;
  checkParts(profileName, types, period);
  const requested: Temporality | undefined =
    request.temporality ?? (identity.isDelta ? 'delta' : undefined);
  const temporalities = types.map(({ type }) =>
    temporalityOf({
      sampleType: type,
      periodType: period.type,
      durationNs: pprof.durationNs,
      requested,
    }),
  );
  checkTotals(pprof, temporalities);
  const groups: ProfileGroup[] = [];
  for (let first = 0; first < types.length; first += VALUE_COLUMNS_MAX) {
    const members = types.slice(first, first + VALUE_COLUMNS_MAX);
    const series: Series = {
      service: identity.service,
      profileName,
      labels: identity.labels,
      periodType: period.type,
      periodUnit: period.unit,
      sampleTypes: members.map(({ type, unit }, i) => ({
        type,
        unit,
        temporality: temporalities[first + i]!,
      })),
      group: first / VALUE_COLUMNS_MAX,
    };
    checkAge(input.cutoffOf?.(series), startNs);
    groups.push({ seriesKey: seriesKey(series), firstType: first, typeCount: members.length });
  }
  return groups;
}

/** What would be gone at once is refused, so that its sender hears of it. */
function checkAge(cutoffNs: bigint | undefined, startNs: bigint): void {
  if (cutoffNs === undefined || startNs >= cutoffNs) return;
  const lateMs = (cutoffNs - startNs) / NS_PER_MS;
  throw invalid(
    'PS_PROFILE_EXPIRED',
    `cannot accept profile: got a start ${lateMs} ms past its retention; want a later one`,
  );
}

function checkParts(profileName: string, types: readonly TypeUnit[], period: TypeUnit): void {
  checkTypePart('profile name', profileName);
  checkTypePart('period type', period.type);
  checkTypePart('period unit', period.unit);
  for (const { type, unit } of types) {
    if (type === '') {
      throw invalid(
        'PS_PROFILE_TYPE',
        'cannot accept profile: got a sample type without a name; want a name',
      );
    }
    checkTypePart('sample type', type);
    checkTypePart('sample unit', unit);
  }
}

const HASH_BYTES = 16;
const profileHash = new Uint32Array(HASH_BYTES / 4);

/**
 * The sender's id, or a hash of what it sent (docs/format/content-ids.md): of the series key, of who wrote it where it
 * says so, and of the profile's own hash, so that the profile need not be copied. Throws `invalid` PS_PROFILE_ID.
 */
function profileIdOf(
  { profileId: given, writer = '' }: WriteRequest,
  groups: readonly ProfileGroup[],
  bytes: Uint8Array,
): string {
  if (given !== undefined && given !== '') {
    const sizeBytes = Buffer.byteLength(given);
    if (sizeBytes > LIMITS.profileIdBytesMax) {
      throw invalid(
        'PS_PROFILE_ID',
        `cannot accept profile id: got ${sizeBytes} bytes; want at most ${LIMITS.profileIdBytesMax}`,
      );
    }
    return given;
  }
  const key = (groups[0]?.seriesKey ?? '') + writer;
  hash128(bytes, profileHash);
  const buffer = Buffer.allocUnsafe(key.length * 3 + HASH_BYTES);
  let end = buffer.write(key, 'utf8');
  for (const word of profileHash) end = buffer.writeUInt32LE(word, end);
  return hash128Hex(buffer.subarray(0, end));
}

function metadataOf(input: PrepareInput): string {
  const { pprof } = input;
  const { commentCount, dropFrames, keepFrames, defaultSampleType, docUrl } = pprof;
  if (commentCount === 0 && (dropFrames | keepFrames | defaultSampleType | docUrl) === 0) return '';
  const comments: string[] = [];
  for (let c = 0; c < commentCount; c++) comments.push(textOf(pprof, pprof.comment[c]!));
  return metadataText({
    comments,
    dropFrames: textOf(pprof, dropFrames),
    keepFrames: textOf(pprof, keepFrames),
    defaultSampleType: textOf(pprof, defaultSampleType),
    docUrl: textOf(pprof, docUrl),
  });
}
