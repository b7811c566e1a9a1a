/**
 * Segments as views, sealed or open. What was decoded of a segment is kept, so that a view of one that has grown
 * costs only its new commits; sealed segments are kept as long as they fit the budget, least recently used out first.
 */
import { corrupt } from '../base/errors.js';
import { KeyedMutex } from '../base/keyed-mutex.js';
import type { FileSystem, ReadFile } from '../env/files.js';
import { noteRead } from '../env/read-meter.js';
import {
  commitBytesAt,
  decodeHeader,
  HEADER_BYTES,
  segmentFileName,
} from '../log/segment-format.js';
import type { SegmentPosition, SegmentView } from '../log/segment-view.js';
import { GrowingSegment } from './growing-segment.js';

export interface SegmentReaderOptions {
  readonly files: FileSystem;
  /** The log's directory: that of `openLocalLog`, which holds the instances' directories. */
  readonly dir: string;
  /** File bytes whose decoded form is kept. Default 64 MB. What gets worse if raised: memory, about twice as much. */
  readonly cacheBytesMax?: number;
}

const CACHE_BYTES_DEFAULT = 64 << 20;
/** Large buffers that come and go leave holes that the allocator keeps: a segment is not read into one. */
const READ_BYTES = 1 << 20;

interface CachedSegment {
  readonly segment: GrowingSegment;
  view: SegmentView;
}

export class SegmentReader {
  readonly #files: FileSystem;
  readonly #dir: string;
  readonly #cacheBytesMax: number;
  /** In order of use, oldest first. */
  readonly #cache = new Map<string, CachedSegment>();
  readonly #mutex = new KeyedMutex();

  constructor(options: SegmentReaderOptions) {
    this.#files = options.files;
    this.#dir = options.dir;
    this.#cacheBytesMax = options.cacheBytesMax ?? CACHE_BYTES_DEFAULT;
  }

  /**
   * The segment at `position` or, where more of it was read before, at that later one. Throws `not-found` when its
   * file is gone (it was consumed: plan again), `corrupt` PS_SEGMENT_* or PS_COLUMN_* when it is damaged.
   */
  view(position: SegmentPosition): Promise<SegmentView> {
    const path = `${this.#dir}/${position.instance}/${segmentFileName(position.sequence)}`;
    return this.#mutex.run(path, async () => {
      const cached = this.#cache.get(path);
      this.#cache.delete(path);
      const read = await this.#read(path, position, cached);
      this.#cache.set(path, read);
      this.#evict();
      return read.view;
    });
  }

  /** Forgets what was decoded. */
  clear(): void {
    this.#cache.clear();
  }

  /** Decoded segments now held, for metrics and tests. */
  get cachedBytes(): number {
    let total = 0;
    for (const { view } of this.#cache.values()) total += view.position.committedBytes;
    return total;
  }

  async #read(
    path: string,
    position: SegmentPosition,
    cached: CachedSegment | undefined,
  ): Promise<CachedSegment> {
    const known = cached?.view.position;
    if (
      cached !== undefined &&
      known !== undefined &&
      known.committedBytes >= position.committedBytes
    ) {
      const isNews =
        position.sealed && !known.sealed && known.committedBytes === position.committedBytes;
      if (isNews) cached.view = { ...cached.view, position };
      return cached;
    }
    const segment = cached?.segment ?? new GrowingSegment(position.sequence);
    const start = known?.committedBytes ?? 0;
    if (position.committedBytes > 0) {
      noteRead(
        `segment ${position.instance}/${position.sequence}`,
        position.committedBytes - start,
      );
      const file = await this.#files.openRead(path);
      try {
        if (start === 0) checkHeader(await file.read(0, HEADER_BYTES), position);
        await addCommits(segment, file, Math.max(start, HEADER_BYTES), position.committedBytes);
      } finally {
        await file.close();
      }
    }
    return { segment, view: segment.snapshot(position) };
  }

  #evict(): void {
    let total = this.cachedBytes;
    for (const [path, { view }] of this.#cache) {
      if (total <= this.#cacheBytesMax) return;
      // The open segment is wanted by every query and would be decoded from its start again.
      if (!view.position.sealed) continue;
      this.#cache.delete(path);
      total -= view.position.committedBytes;
    }
  }
}

/** Reads commits [start, end) a few at a time, all into the same buffer: what is decoded of them are copies. */
async function addCommits(
  segment: GrowingSegment,
  file: ReadFile,
  start: number,
  end: number,
): Promise<void> {
  let offset = start;
  let sizeBytes = READ_BYTES;
  const room = new Uint8Array(Math.min(READ_BYTES, end - start));
  while (offset < end) {
    const bytes = await file.read(offset, Math.min(end, offset + sizeBytes), room);
    const next = segment.add(bytes, offset, offset + bytes.length >= end);
    // Not even one commit: as much as it says, next time.
    sizeBytes = next > offset ? READ_BYTES : (commitBytesAt(bytes, 0) ?? READ_BYTES);
    offset = next;
  }
}

function checkHeader(bytes: Uint8Array, position: SegmentPosition): void {
  const header = decodeHeader(bytes);
  if (header.instance === position.instance && header.sequence === position.sequence) return;
  throw corrupt(
    'PS_SEGMENT_HEADER',
    `cannot read segment ${position.sequence} of ${position.instance}: got the header of segment ${header.sequence} of ${header.instance}; want its own`,
  );
}
