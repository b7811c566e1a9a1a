/**
 * pprof bytes as a google.v1.Profile. A profile may have millions of samples, and most callers want the very bytes that
 * the engine made: so its fields are passed on as they are, and only a caller who wants JSON makes them objects.
 */
import { create, fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire';
import { ProfileSchema, type Profile } from '../../gen/google/v1/profile_pb.js';

/** As an object, field by field. */
export function decodedProfile(pprof: Uint8Array): Profile {
  return fromBinary(ProfileSchema, pprof);
}

/** As a message that writes `pprof` again when it is encoded, and has no field of its own. */
export function opaqueProfile(pprof: Uint8Array): Profile {
  const message = create(ProfileSchema);
  const reader = new BinaryReader(pprof);
  const fields: { no: number; wireType: WireType; data: Uint8Array }[] = [];
  while (reader.pos < reader.len) {
    const [no, wireType] = reader.tag();
    const start = reader.pos;
    reader.skip(wireType, no);
    fields.push({ no, wireType, data: pprof.subarray(start, reader.pos) });
  }
  message.$unknown = fields;
  return message;
}
