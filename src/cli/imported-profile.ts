/** What an import needs to know of a pprof, and to change in it, without making objects of its samples. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Fields of pprof's Profile and Sample. */
const SAMPLE = 2;
const SAMPLE_VALUE = 2;
const TIME_NANOS = 9;

export interface PprofFacts {
  readonly samples: number;
  /** Of the first sample type, over all samples. */
  readonly total: bigint;
  readonly timeNs: bigint;
}

/** Throws for bytes that are no protobuf message. */
export function pprofFacts(pprof: Uint8Array): PprofFacts {
  const reader = new BinaryReader(pprof);
  let samples = 0;
  let total = 0n;
  let timeNs = 0n;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === SAMPLE && wireType === WireType.LengthDelimited) {
      samples++;
      total += firstValue(reader.bytes());
    } else if (field === TIME_NANOS && wireType === WireType.Varint) {
      timeNs = BigInt(reader.int64());
    } else {
      reader.skip(wireType, field);
    }
  }
  return { samples, total, timeNs };
}

/** Values are packed, or a field each. */
function firstValue(sample: Uint8Array): bigint {
  const reader = new BinaryReader(sample);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== SAMPLE_VALUE) {
      reader.skip(wireType, field);
      continue;
    }
    if (wireType === WireType.LengthDelimited && reader.uint32() === 0) continue;
    return BigInt(reader.int64());
  }
  return 0n;
}

/** The same profile with another time: of a field that is there twice, the last one counts. */
export function withTime(pprof: Uint8Array, timeNs: bigint): Uint8Array {
  const time = new BinaryWriter().tag(TIME_NANOS, WireType.Varint).int64(timeNs).finish();
  return Buffer.concat([pprof, time]);
}
