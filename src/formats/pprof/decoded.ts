/**
 * A pprof as typed arrays, as `PprofDecoder` fills them. The arrays belong to the decoder, are longer than what
 * counts, and are valid until its next `decode`. References are indexes here (never the sender's ids) and every index
 * is in range; elements that were damaged are gone and counted in `rejections`.
 *
 * docs/format/pprof-normalisation.md says what is kept, and how damage is treated.
 */
export interface DecodedPprof {
  /** The plain (inflated) profile; strings are byte ranges of it. */
  readonly bytes: Uint8Array;

  /** At least 1: string 0 is the empty one, whatever was sent for it. Bytes [stringStart, stringEnd). */
  readonly stringCount: number;
  readonly stringStart: Int32Array;
  readonly stringEnd: Int32Array;

  /** At least 1. String indexes. */
  readonly sampleTypeCount: number;
  readonly sampleTypeType: Int32Array;
  readonly sampleTypeUnit: Int32Array;

  readonly mappingCount: number;
  readonly mappingStart: BigUint64Array;
  readonly mappingLimit: BigUint64Array;
  readonly mappingOffset: BigUint64Array;
  readonly mappingFile: Int32Array;
  readonly mappingBuildId: Int32Array;

  readonly functionCount: number;
  readonly functionName: Int32Array;
  readonly functionSystemName: Int32Array;
  readonly functionFile: Int32Array;
  readonly functionStartLine: BigInt64Array;

  readonly locationCount: number;
  /** Mapping index, or -1. */
  readonly locationMapping: Int32Array;
  readonly locationAddress: BigUint64Array;
  /** 1 where the sender set `is_folded`. */
  readonly locationFolded: Uint8Array;
  /** Lines of location l are [locationFirstLine[l], locationFirstLine[l + 1]), innermost first. */
  readonly locationFirstLine: Int32Array;

  readonly lineCount: number;
  /** Function index. */
  readonly lineFunction: Int32Array;
  readonly lineLine: BigInt64Array;
  readonly lineColumn: BigInt64Array;

  readonly sampleCount: number;
  /** Locations of sample s are [sampleFirstLocation[s], sampleFirstLocation[s + 1]). */
  readonly sampleFirstLocation: Int32Array;
  /** Location indexes, leaf first. */
  readonly sampleLocation: Int32Array;
  /** sampleCount x sampleTypeCount, row by row. */
  readonly sampleValue: BigInt64Array;
  /** Labels of sample s are [sampleFirstLabel[s], sampleFirstLabel[s + 1]). */
  readonly sampleFirstLabel: Int32Array;
  readonly labelKey: Int32Array;
  /** String index, or -1 for a numeric label. */
  readonly labelString: Int32Array;
  /** 0 where `labelString` is not -1. */
  readonly labelNumber: BigInt64Array;
  readonly labelUnit: Int32Array;

  /** Unix; 0n when the sender said nothing. */
  readonly timeNs: bigint;
  readonly durationNs: bigint;
  readonly period: bigint;
  /** String indexes, 0 for none. */
  readonly periodType: number;
  readonly periodUnit: number;
  readonly dropFrames: number;
  readonly keepFrames: number;
  readonly defaultSampleType: number;
  readonly docUrl: number;
  readonly commentCount: number;
  readonly comment: Int32Array;

  /** What was dropped or cut, by reason; empty for a sound profile. */
  readonly rejections: readonly PprofRejection[];
}

export interface PprofRejection {
  /** Stable `PS_PPROF_...` code. */
  readonly reason: string;
  /** Elements of the kind that the message names. */
  readonly count: number;
  readonly message: string;
}
