/** What a damaged segment file had, as far as it still says: its index is at its end, behind the damage. */
import { isKind } from '../base/errors.js';
import type { FileSystem } from '../env/files.js';
import { COMMIT_FOOTER, COMMIT_HEADER_BYTES, findCommit, HEADER_BYTES } from './segment-format.js';
import { decodeFooter, type SegmentIndex } from './segment-index.js';
import { scanSegment } from './segment-scan.js';
import { seriesFromKey } from './series-key.js';

/** Profiles of one service that are in no whole commit. */
export interface LostProfiles {
  readonly tenantId: string;
  readonly service: string;
  readonly profiles: number;
  /** Least and greatest start, unix nanoseconds, both inclusive. */
  readonly startNsMin: bigint;
  readonly startNsMax: bigint;
}

/** Undefined when the index is lost too: then only the bytes are known. */
export async function lostProfiles(
  files: FileSystem,
  { path, sequence }: { readonly path: string; readonly sequence: number },
): Promise<LostProfiles[] | undefined> {
  const bytes = await files.readAll(path);
  const { index: kept } = scanSegment({ bytes, sequence, durableBytes: undefined });
  const all = readFooter(bytes, sequence);
  return all === undefined ? undefined : difference(all, kept);
}

type ProfileIndex = Pick<
  SegmentIndex,
  'series' | 'profileSeries' | 'profileStartNs' | 'profileId' | 'profileFlags'
>;

/** The first footer that is whole, wherever it is. */
function readFooter(bytes: Uint8Array, sequence: number): ProfileIndex | undefined {
  let offset = HEADER_BYTES;
  for (;;) {
    const frame = findCommit(bytes, { sequence, offset, base: 0 });
    if (frame === undefined) return undefined;
    offset = frame.end;
    if (frame.kind !== COMMIT_FOOTER) continue;
    try {
      const footer = decodeFooter(bytes.subarray(frame.start + COMMIT_HEADER_BYTES, frame.end));
      return {
        series: [...footer.series],
        profileSeries: [...footer.profileSeries],
        profileStartNs: [...footer.profileStartNs],
        profileId: [...footer.profileId],
        profileFlags: [...footer.profileFlags],
      };
    } catch (error) {
      if (!isKind(error, 'corrupt')) throw error;
    }
  }
}

function difference(all: ProfileIndex, kept: ProfileIndex): LostProfiles[] {
  const keyOf = (index: ProfileIndex, p: number): string => {
    const series = index.series[index.profileSeries[p] as number];
    return `${series?.tenantId}\n${series?.key}\n${index.profileStartNs[p]}\n${index.profileId[p]}`;
  };
  const survivors = new Set(kept.profileSeries.map((_, p) => keyOf(kept, p)));
  const lost = new Map<string, LostProfiles>();
  for (let p = 0; p < all.profileSeries.length; p++) {
    if (survivors.has(keyOf(all, p))) continue;
    const series = all.series[all.profileSeries[p] as number];
    const startNs = all.profileStartNs[p] as bigint;
    if (series === undefined) continue;
    const service = serviceOf(series.key);
    const id = `${series.tenantId}\n${service}`;
    const before = lost.get(id);
    lost.set(id, {
      tenantId: series.tenantId,
      service,
      profiles: (before?.profiles ?? 0) + 1,
      startNsMin: before === undefined || startNs < before.startNsMin ? startNs : before.startNsMin,
      startNsMax: before === undefined || startNs > before.startNsMax ? startNs : before.startNsMax,
    });
  }
  return [...lost.values()];
}

function serviceOf(key: string): string {
  try {
    return seriesFromKey(key).service;
  } catch (error) {
    if (!isKind(error, 'corrupt')) throw error;
    return '';
  }
}
