import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  BlockLineage as BlockLineageMessage,
  BlockLineageSchema,
  CarryLineage as CarryLineageMessage,
  CarryLineageSchema,
  ConsumedPosition,
} from '../gen/basalt/storage/v1/lineage_pb.js';
import { type BlockLineage, type CarryLineage, NO_LINEAGE } from './lineage.js';
import type { Watermark } from './types.js';

export function encodeBlockLineage(
  lineage: BlockLineage,
): MessageInitShape<typeof BlockLineageSchema> {
  return {
    baseVersion: BigInt(lineage.baseVersion),
    watermarks: encodePositions(lineage.watermarks),
    claims: lineage.claims.map(({ instance, afterSequence, sequence, startNs, endNs }) => ({
      instance,
      afterSequence: BigInt(afterSequence),
      sequence: BigInt(sequence),
      startNs,
      endNs,
    })),
    firstSequence: BigInt(lineage.firstSequence),
    isLast: lineage.isLast,
  };
}

export function decodeBlockLineage(message: BlockLineageMessage | undefined): BlockLineage {
  if (message === undefined) return NO_LINEAGE;
  return {
    baseVersion: Number(message.baseVersion),
    watermarks: decodePositions(message.watermarks),
    claims: message.claims.map(({ instance, afterSequence, sequence, startNs, endNs }) => ({
      instance,
      afterSequence: Number(afterSequence),
      sequence: Number(sequence),
      startNs,
      endNs,
    })),
    firstSequence: Number(message.firstSequence),
    isLast: message.isLast,
  };
}

export function encodeCarryLineage(
  lineage: CarryLineage,
): MessageInitShape<typeof CarryLineageSchema> {
  return {
    baseVersion: BigInt(lineage.baseVersion),
    consumed: encodePositions(lineage.consumed),
  };
}

export function decodeCarryLineage(message: CarryLineageMessage | undefined): CarryLineage {
  return {
    baseVersion: Number(message?.baseVersion ?? 0n),
    consumed: decodePositions(message?.consumed ?? []),
  };
}

function encodePositions(
  positions: readonly Watermark[],
): { instance: string; sequence: bigint }[] {
  return positions.map(({ instance, sequence }) => ({ instance, sequence: BigInt(sequence) }));
}

function decodePositions(positions: readonly ConsumedPosition[]): Watermark[] {
  return positions.map(({ instance, sequence }) => ({ instance, sequence: Number(sequence) }));
}
