/**
 * A JFR recording: chunks, each with a header, a description of its types, constant pools ("checkpoints") and events.
 * Written from the layout that jdk.jfr and async-profiler write (version 2); chunks stand alone.
 *
 * Steps for a chunk: types; then every checkpoint, because events may refer to later ones; then the events.
 */
import { LIMITS } from '../../base/limits.js';
import { JfrBytes, jfrError, type Long } from './jfr-bytes.js';
import { JfrPools } from './jfr-pools.js';
import { type JfrType, readTypes } from './jfr-types.js';

const MAGIC = 0x464c_5200;
const HEADER_BYTES = 68;
const METADATA = 0;
const CHECKPOINT = 1;
/** Of the header's features: numbers are in 7-bit groups. */
const COMPRESSED = 1;

export interface JfrChunk {
  readonly types: ReadonlyMap<Long, JfrType>;
  readonly pools: JfrPools;
  readonly ticksPerSecond: bigint;
  /** Calls back for each event but those of the format itself; the reader stands after the event's type. */
  events(take: (type: JfrType, bytes: JfrBytes) => void): void;
}

/** Calls back for one chunk after another. Throws `invalid` PS_JFR. */
export function readChunks(bytes: Uint8Array, take: (chunk: JfrChunk) => void): void {
  const budget = { framesLeft: LIMITS.jfrFramesMax };
  let start = 0;
  let count = 0;
  while (start < bytes.length) {
    if (++count > LIMITS.jfrChunksMax) throw jfrError('many chunks', `${LIMITS.jfrChunksMax}`);
    start = readChunk(bytes, start, budget, take);
  }
  if (count === 0) throw jfrError('no bytes', 'a recording');
}

function readChunk(
  bytes: Uint8Array,
  start: number,
  budget: { framesLeft: number },
  take: (chunk: JfrChunk) => void,
): number {
  const header = new JfrBytes(bytes, start, bytes.length);
  if (header.left < HEADER_BYTES) throw jfrError(`${header.left} bytes`, 'a chunk header');
  if (header.int32() !== MAGIC)
    throw jfrError(`other bytes at ${start}`, 'a chunk, which begins FLR');
  const version = header.int32() >>> 16;
  if (version !== 2) throw jfrError(`version ${version}`, '2');
  const sizeBytes = Number(header.int64());
  header.int64();
  const metadataAt = Number(header.int64());
  header.int64();
  header.int64();
  header.int64();
  const ticksPerSecond = header.int64();
  const features = header.int32();
  if ((features & COMPRESSED) === 0) throw jfrError('numbers of fixed size', 'compressed ones');
  // A recording that was not finished says 0.
  const end = sizeBytes === 0 ? bytes.length : start + sizeBytes;
  if (sizeBytes < 0 || (sizeBytes > 0 && sizeBytes < HEADER_BYTES) || end > bytes.length) {
    throw jfrError(`a chunk of ${sizeBytes} bytes`, `${HEADER_BYTES} to ${bytes.length - start}`);
  }
  if (!(metadataAt >= HEADER_BYTES && start + metadataAt < end)) {
    throw jfrError(`metadata at ${metadataAt}`, 'a place in the chunk');
  }
  const first = start + HEADER_BYTES;
  const types = typesAt(bytes, start + metadataAt, end);
  const pools = new JfrPools(types, budget);
  forEachEvent(bytes, first, end, (typeId, event) => {
    if (typeId === CHECKPOINT) pools.read(event);
  });
  take({
    types,
    pools,
    ticksPerSecond: ticksPerSecond > 0n ? ticksPerSecond : 1_000_000_000n,
    events: (takeEvent) =>
      forEachEvent(bytes, first, end, (typeId, event) => {
        const type = types.get(typeId);
        if (type !== undefined && typeId !== METADATA && typeId !== CHECKPOINT)
          takeEvent(type, event);
      }),
  });
  return end;
}

function typesAt(bytes: Uint8Array, at: number, end: number): ReadonlyMap<Long, JfrType> {
  const event = new JfrBytes(bytes, at, end);
  const sizeBytes = event.count('an event of');
  if (sizeBytes > end - at) throw jfrError(`metadata of ${sizeBytes} bytes`, 'less');
  event.end = at + sizeBytes;
  if (event.long() !== METADATA) throw jfrError('another event', 'metadata');
  return readTypes(event);
}

function forEachEvent(
  bytes: Uint8Array,
  start: number,
  end: number,
  take: (typeId: Long, event: JfrBytes) => void,
): void {
  let at = start;
  while (at < end) {
    const event = new JfrBytes(bytes, at, end);
    const sizeBytes = event.count('an event of');
    if (sizeBytes < 2 || sizeBytes > end - at) {
      throw jfrError(`an event of ${sizeBytes} bytes`, `2 to ${end - at}`);
    }
    event.end = at + sizeBytes;
    take(event.long(), event);
    at += sizeBytes;
  }
}
