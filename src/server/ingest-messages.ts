import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { StoreError, invalid } from '../base/errors.js';
import { Temporality as TemporalityEnum } from '../gen/basalt/v1/common_pb.js';
import { WriteProfileResponseSchema } from '../gen/basalt/v1/ingest_pb.js';
import type { WriteProfileRequest, WriteProfileResponse } from '../gen/basalt/v1/ingest_pb.js';
import type { WriteRequest, WriteResult } from '../ingest/api.js';
import type { Temporality } from '../model/series.js';
import { errorStatus, type WireError } from './wire-errors.js';

/** Between the messages of IngestService and the values of the write side. */

const TEMPORALITIES: Readonly<Record<number, Temporality>> = {
  [TemporalityEnum.DELTA]: 'delta',
  [TemporalityEnum.CUMULATIVE]: 'cumulative',
  [TemporalityEnum.GAUGE]: 'gauge',
};

/** Throws `invalid` PS_PROTOBUF for bytes that are not such a message. */
export function decodeMessage<D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    const got = error instanceof Error ? error.message : String(error);
    throw new StoreError({
      kind: 'invalid',
      code: 'PS_PROTOBUF',
      message: `cannot decode ${schema.typeName}: got ${got}; want a valid message`,
      cause: error,
    });
  }
}

export function writeRequest(message: WriteProfileRequest): WriteRequest {
  const temporality = TEMPORALITIES[message.temporality];
  if (temporality === undefined && message.temporality !== TemporalityEnum.UNSPECIFIED) {
    throw invalid(
      'PS_TEMPORALITY',
      `cannot accept profile: got temporality ${message.temporality as number}; want 0 to 3`,
    );
  }
  return {
    labels: message.labels.map(({ name, value }) => ({ name, value })),
    profile: message.profile,
    ...(message.profileId === '' ? {} : { profileId: message.profileId }),
    ...(temporality === undefined ? {} : { temporality }),
  };
}

export function writeResponse(result: WriteResult): WriteProfileResponse {
  return create(WriteProfileResponseSchema, {
    profileId: result.profileId,
    profiles: result.profiles,
    samples: BigInt(result.samples),
    rejections: result.rejections.map(({ reason, count, message }) => ({
      reason,
      count: BigInt(count),
      message,
    })),
  });
}

const TAG_PROFILE_ID = 0x0a;
const TAG_PROFILES = 0x10;
const TAG_SAMPLES = 0x18;
/** Tags and lengths around the id, and two varints of up to ten bytes. */
const FIXED_BYTES_MAX = 32;

/** Writes an unsigned safe integer at `at`; returns the offset behind it. */
function writeVarint(out: Buffer, at: number, value: number): number {
  let rest = value;
  let i = at;
  while (rest >= 0x80) {
    out[i++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  out[i++] = rest;
  return i;
}

/**
 * A WriteProfileResponse as bytes. The common answer (an ASCII id, nothing rejected) is written by hand, because the
 * general encoder costs several times as much on the path that every profile takes.
 */
export function encodeWriteResult(result: WriteResult): Buffer {
  const { profileId, profiles, samples } = result;
  const length = profileId.length;
  if (result.rejections.length > 0 || length > 0x7f || Buffer.byteLength(profileId) !== length) {
    const bytes = toBinary(WriteProfileResponseSchema, writeResponse(result));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  const out = Buffer.allocUnsafe(length + FIXED_BYTES_MAX);
  let at = 0;
  if (length > 0) {
    out[at++] = TAG_PROFILE_ID;
    out[at++] = length;
    at += out.write(profileId, at, 'latin1');
  }
  if (profiles > 0) {
    out[at++] = TAG_PROFILES;
    at = writeVarint(out, at, profiles);
  }
  if (samples > 0) {
    out[at++] = TAG_SAMPLES;
    at = writeVarint(out, at, samples);
  }
  return out.subarray(0, at);
}

export function encodeWriteError(error: WireError): Buffer {
  const bytes = toBinary(
    WriteProfileResponseSchema,
    create(WriteProfileResponseSchema, { error: errorStatus(error) }),
  );
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
