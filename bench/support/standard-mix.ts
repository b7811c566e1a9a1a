/**
 * The standard hour's mix: CPU, heap and goroutine profiles of four services and ten pods, from recorded files, each
 * with a second gzip member that holds only its time, so that all of them differ.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Label } from '../../src/model/labels.js';

const KINDS = ['cpu', 'heap', 'goroutine'];
const PODS = 10;
const STEP_NS = 10_000_000_000n;
/** One pod's files are this far ahead of the pod's before it. */
const POD_OFFSET = 13;

interface RecordedSeries {
  readonly service: string;
  readonly version: string;
  readonly files: readonly Uint8Array[];
}

export interface MixProfile {
  readonly labels: readonly Label[];
  readonly profile: Uint8Array;
}

/** Undefined where the recorded files are missing. */
export function recordedSeries(corpus: string): readonly RecordedSeries[] | undefined {
  const series: RecordedSeries[] = [];
  try {
    for (const service of readdirSync(corpus, { withFileTypes: true })) {
      if (!service.isDirectory()) continue;
      for (const version of readdirSync(join(corpus, service.name))) {
        for (const kind of KINDS) {
          const dir = join(corpus, service.name, version, kind);
          const files = readdirSync(dir)
            .sort()
            .map((name) => readFileSync(join(dir, name)));
          series.push({ service: service.name, version, files });
        }
      }
    }
  } catch {
    return undefined;
  }
  return series;
}

/** A gzip member of the one field `time_nanos = 9`: the last value of a field counts. */
function timeMember(timeNs: bigint): Uint8Array {
  const bytes = [9 << 3];
  for (let rest = timeNs; ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    if (rest < 0x80n) {
      bytes.push(low);
      break;
    }
    bytes.push(low | 0x80);
  }
  return gzipSync(Uint8Array.from(bytes), { level: 1 });
}

/** All profiles of one tick, pod by pod. */
export function tickProfiles(
  series: readonly RecordedSeries[],
  tick: number,
  startNs: bigint,
): MixProfile[] {
  const member = timeMember(startNs + BigInt(tick) * STEP_NS);
  const profiles: MixProfile[] = [];
  for (let pod = 0; pod < PODS; pod++) {
    for (const { service, version, files } of series) {
      const file = files[(tick + POD_OFFSET * pod) % files.length] as Uint8Array;
      profiles.push({
        labels: [
          { name: 'namespace', value: 'prod' },
          { name: 'pod', value: `${service}-${String(pod).padStart(3, '0')}` },
          { name: 'service_name', value: service },
          { name: 'version', value: version },
        ],
        profile: Buffer.concat([file, member]),
      });
    }
  }
  return profiles;
}
