/**
 * A merged profile as a pprof. Keys are numbered depth-first anew, so that equal data gives equal bytes wherever it
 * was stored. What describes the profile follows pprof's own merge: the earliest start, the sum of durations, the
 * greatest period, all comments. For a single profile that is what was sent.
 */
import { LIMITS } from '../../base/limits.js';
import { encodePprof } from '../../formats/pprof/encode.js';
import type { ProfileMetadata } from '../../log/segment-view.js';
import { parseProfileType } from '../../model/profile-type.js';
import type { MergedValues } from '../merge.js';
import type { PprofQuery } from '../api.js';
import type { QueryContext } from '../context.js';
import type { ProfileSource } from '../source.js';
import { sampledKeys } from './sampled-keys.js';

export interface PprofSettings {
  readonly sources: readonly ProfileSource[];
  readonly query: PprofQuery;
  readonly context: QueryContext;
}

export async function renderPprof(
  merged: MergedValues,
  settings: PprofSettings,
): Promise<Uint8Array> {
  const { sampleType, sampleUnit, periodType, periodUnit } = parseProfileType(
    settings.query.profileType,
  );
  const metadata = await mergedMetadata(settings);
  settings.context.check();
  const { symbols, values } = sampledKeys(merged);
  return encodePprof({
    sampleTypes: [{ type: sampleType, unit: sampleUnit }],
    symbols,
    key: Int32Array.from(values.keys()),
    values: [values],
    periodType,
    periodUnit,
    ...(settings.query.compress === false ? { gzipLevel: 0 } : {}),
    ...times(settings.sources),
    ...metadata,
    defaultSampleType: metadata.defaultSampleType === sampleType ? sampleType : '',
  });
}

const INT64_MAX = 2n ** 63n - 1n;

function times(sources: readonly ProfileSource[]): {
  timeNs: bigint;
  durationNs: bigint;
  period: bigint;
} {
  let timeNs: bigint | undefined;
  let durationNs = 0n;
  let period = 0n;
  for (const { slices, profiles } of sources) {
    for (const { first, end } of slices) {
      for (let p = first; p < end; p++) {
        const start = profiles.startNs[p]!;
        if (timeNs === undefined || start < timeNs) timeNs = start;
        durationNs += profiles.durationNs[p]!;
        if (profiles.period[p]! > period) period = profiles.period[p]!;
      }
    }
  }
  return {
    timeNs: timeNs ?? 0n,
    durationNs: durationNs < INT64_MAX ? durationNs : INT64_MAX,
    period,
  };
}

/** All distinct metadata of the selected profiles as one, in an order that does not depend on storage. */
async function mergedMetadata({ sources, context }: PprofSettings): Promise<ProfileMetadata> {
  const seen = new Set<ProfileMetadata>();
  for (const source of sources) {
    await context.part(source.part, async () => {
      const metadataAt = await source.metadata();
      for (const { first, end } of source.slices) {
        for (let p = first; p < end; p++) for (const one of metadataAt(p)) seen.add(one);
      }
    });
  }
  const distinct = new Map([...seen].map((one) => [JSON.stringify(one), one]));
  const sorted = [...distinct]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, one]) => one);
  const firstOf = (text: (one: ProfileMetadata) => string): string =>
    sorted.map(text).find((t) => t !== '') ?? '';
  return {
    comments: [...new Set(sorted.flatMap((one) => one.comments))].slice(0, LIMITS.commentsMax),
    dropFrames: firstOf((one) => one.dropFrames),
    keepFrames: firstOf((one) => one.keepFrames),
    defaultSampleType: firstOf((one) => one.defaultSampleType),
    docUrl: firstOf((one) => one.docUrl),
  };
}
