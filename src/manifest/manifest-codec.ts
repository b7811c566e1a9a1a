import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { corrupt, StoreError } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import {
  type ConsumedSegments,
  ManifestBoundarySchema,
  ManifestSchema,
  type Manifest as ManifestMessage,
} from '../gen/basalt/storage/v1/manifest_pb.js';
import { type EnvelopeKind, seal, unseal } from './envelope.js';
import type { Manifest, Watermark } from './types.js';

export const MANIFEST_FORMAT_VERSION = 1;

const MANIFEST: EnvelopeKind = {
  noun: 'manifest',
  magic: 'BSLTMNFT',
  version: MANIFEST_FORMAT_VERSION,
  sizeBytesMax: LIMITS.manifestBytesMax,
};

const BOUNDARY: EnvelopeKind = {
  noun: 'manifest boundary',
  magic: 'BSLTBNDR',
  version: 1,
  sizeBytesMax: 64,
};

/** The state of a tenant that has nothing yet. */
export function emptyManifest(tenantId: string): Manifest {
  return {
    formatVersion: MANIFEST_FORMAT_VERSION,
    tenantId,
    version: 0,
    blocks: [],
    watermarks: [],
    carries: [],
    tombstones: [],
    fenceVersion: 0,
    seriesTombstones: [],
    recentNonces: [],
  };
}

const watermarkMessage = ({ instance, sequence }: Watermark) => ({
  instance,
  sequence: BigInt(sequence),
});

/** Throws `limit` PS_MANIFEST_SIZE. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const message = create(ManifestSchema, {
    tenantId: manifest.tenantId,
    version: BigInt(manifest.version),
    blocks: manifest.blocks.map((block) => ({
      blockId: block.blockId,
      level: block.level,
      startNsMin: block.startNsMin,
      startNsMax: block.startNsMax,
      profileCount: BigInt(block.profileCount),
      sampleCount: BigInt(block.sampleCount),
      sizeBytes: BigInt(block.sizeBytes),
      createdMs: BigInt(block.createdMs),
      seriesTombstones: block.seriesTombstones.map(BigInt),
      retentionStamp: block.retentionStamp,
      symbolBytes: BigInt(block.symbolBytes),
    })),
    watermarks: manifest.watermarks.map(watermarkMessage),
    carries: manifest.carries.map((carry) => ({
      service: carry.service,
      objectKey: carry.objectKey,
      sizeBytes: BigInt(carry.sizeBytes),
      seriesTombstones: carry.seriesTombstones.map(BigInt),
      deletedSinceMs: BigInt(carry.deletedSinceMs),
    })),
    tombstones: manifest.tombstones.map((tombstone) => ({
      objectPrefix: tombstone.objectPrefix,
      sizeBytes: BigInt(tombstone.sizeBytes),
      deleteAfterMs: BigInt(tombstone.deleteAfterMs),
    })),
    fenceVersion: BigInt(manifest.fenceVersion),
    seriesTombstones: manifest.seriesTombstones.map((tombstone) => ({
      id: BigInt(tombstone.id),
      selector: tombstone.selector,
      startMs: BigInt(tombstone.startMs),
      endMs: BigInt(tombstone.endMs),
      createdMs: BigInt(tombstone.createdMs),
      covered: tombstone.covered.map(watermarkMessage),
    })),
    recentNonces: [...manifest.recentNonces],
  });
  const bytes = seal(MANIFEST, toBinary(ManifestSchema, message));
  if (bytes.length > LIMITS.manifestBytesMax) {
    throw new StoreError({
      kind: 'limit',
      code: 'PS_MANIFEST_SIZE',
      message: `cannot write manifest: got ${bytes.length} bytes; want at most ${LIMITS.manifestBytesMax}`,
    });
  }
  return bytes;
}

/** Throws `corrupt` PS_ENVELOPE_* or PS_MANIFEST_DECODE. */
export function decodeManifest(tenantId: string, version: number, bytes: Uint8Array): Manifest {
  const message = decodeMessage(bytes);
  if (message.tenantId !== tenantId || message.version !== BigInt(version)) {
    throw corrupt(
      'PS_MANIFEST_DECODE',
      `cannot read manifest: got tenant ${JSON.stringify(message.tenantId)} version ${message.version}; want ${JSON.stringify(tenantId)} version ${version}`,
    );
  }
  return {
    formatVersion: MANIFEST_FORMAT_VERSION,
    tenantId,
    version,
    blocks: message.blocks.map((block) => ({
      blockId: block.blockId,
      level: block.level,
      startNsMin: block.startNsMin,
      startNsMax: block.startNsMax,
      profileCount: Number(block.profileCount),
      sampleCount: Number(block.sampleCount),
      sizeBytes: Number(block.sizeBytes),
      createdMs: Number(block.createdMs),
      seriesTombstones: block.seriesTombstones.map(Number),
      retentionStamp: block.retentionStamp,
      symbolBytes: Number(block.symbolBytes),
    })),
    watermarks: message.watermarks.map(watermarkOf),
    carries: message.carries.map((carry) => ({
      service: carry.service,
      objectKey: carry.objectKey,
      sizeBytes: Number(carry.sizeBytes),
      seriesTombstones: carry.seriesTombstones.map(Number),
      deletedSinceMs: Number(carry.deletedSinceMs),
    })),
    tombstones: message.tombstones.map((tombstone) => ({
      objectPrefix: tombstone.objectPrefix,
      sizeBytes: Number(tombstone.sizeBytes),
      deleteAfterMs: Number(tombstone.deleteAfterMs),
    })),
    fenceVersion: Number(message.fenceVersion),
    seriesTombstones: message.seriesTombstones.map((tombstone) => ({
      id: Number(tombstone.id),
      selector: tombstone.selector,
      startMs: Number(tombstone.startMs),
      endMs: Number(tombstone.endMs),
      createdMs: Number(tombstone.createdMs),
      covered: tombstone.covered.map(watermarkOf),
    })),
    recentNonces: message.recentNonces,
  };
}

const watermarkOf = ({ instance, sequence }: ConsumedSegments): Watermark => ({
  instance,
  sequence: Number(sequence),
});

function decodeMessage(bytes: Uint8Array): ManifestMessage {
  const { body } = unseal(MANIFEST, bytes);
  let message: ManifestMessage;
  try {
    message = fromBinary(ManifestSchema, body);
  } catch (error) {
    throw new StoreError({
      kind: 'corrupt',
      code: 'PS_MANIFEST_DECODE',
      message:
        'cannot read manifest: got bytes that are no manifest message; want basalt.storage.v1.Manifest',
      cause: error,
    });
  }
  if (hasUnknownFields(message)) {
    throw corrupt(
      'PS_MANIFEST_FIELDS',
      `cannot read manifest: got fields that this program does not know; want none, because the next commit would drop them (a newer program wrote it)`,
    );
  }
  return message;
}

function hasUnknownFields(message: ManifestMessage): boolean {
  const { blocks, watermarks, carries, tombstones, seriesTombstones } = message;
  const parts = [
    message,
    ...blocks,
    ...watermarks,
    ...carries,
    ...tombstones,
    ...seriesTombstones,
    ...seriesTombstones.flatMap((tombstone) => tombstone.covered),
  ];
  return parts.some((part) => (part.$unknown?.length ?? 0) > 0);
}

export function encodeBoundary(version: number): Uint8Array {
  const message = create(ManifestBoundarySchema, { version: BigInt(version) });
  return seal(BOUNDARY, toBinary(ManifestBoundarySchema, message));
}

/** Throws `corrupt`: an unreadable boundary must stop commits, because nothing else fences them. */
export function decodeBoundary(bytes: Uint8Array): number {
  const { body } = unseal(BOUNDARY, bytes);
  try {
    return Number(fromBinary(ManifestBoundarySchema, body).version);
  } catch (error) {
    throw new StoreError({
      kind: 'corrupt',
      code: 'PS_MANIFEST_DECODE',
      message:
        'cannot read manifest boundary: got bytes that are no such message; want basalt.storage.v1.ManifestBoundary',
      cause: error,
    });
  }
}
