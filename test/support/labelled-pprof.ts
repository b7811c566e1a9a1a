import { encodePprof } from '../../src/formats/pprof/encode.js';
import { EMPTY_FRAME } from '../../src/model/frame.js';
import type { SampleLabels } from '../../src/model/sample-labels.js';

export interface LabelledPprof {
  readonly sampleType: string;
  readonly startMs: number;
  /** Tells the labels of one profile from those of another. */
  readonly batch: number;
  /** Samples of one stack and 1 nanosecond, each with a label `request` of its own. */
  readonly count: number;
}

export function labelledPprof({ sampleType, startMs, batch, count }: LabelledPprof): Uint8Array {
  const key = Int32Array.from({ length: count }, (_, i) => i);
  const labels = (set: number): SampleLabels => ({
    strings: set === 0 ? [] : [{ name: 'request', value: `${batch}/${set}` }],
    numbers: [],
  });
  return encodePprof({
    sampleTypes: [{ type: sampleType, unit: 'nanoseconds' }],
    periodType: sampleType,
    periodUnit: 'nanoseconds',
    timeNs: BigInt(startMs) * 1_000_000n,
    durationNs: 10_000_000_000n,
    key,
    values: [BigInt64Array.from(key, () => 1n)],
    symbols: {
      frames: { count: 1, frame: () => ({ ...EMPTY_FRAME, functionName: 'serve' }) },
      nodes: { count: 2, parent: Int32Array.of(-1, 0), frame: Int32Array.of(-1, 0) },
      keys: { node: key.map(() => 1), labelSet: key.map((i) => i + 1) },
      labelSets: { count: count + 1, labels },
    },
  });
}
