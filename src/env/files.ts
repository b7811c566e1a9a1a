/**
 * Names of temporary files start so. One that a dead process left behind is only waste: nothing reads it, and the
 * bucket over the directory removes old ones (objstore/dir-bucket.ts).
 */
export const TEMPORARY_PREFIX = '.tmp-';

/**
 * The file operations that the engine needs, with durability explicit. The real one is `node-files.ts`; tests use one
 * that loses whatever was not synced (test/support/lossy-files.ts).
 *
 * All paths are absolute. Errors are StoreError: `not-found` PS_FILE_NOT_FOUND, `conflict` PS_FILE_EXISTS or
 * PS_DIR_LOCKED, `limit` PS_DISK_FULL, else `unavailable` PS_FILE_IO.
 */
export interface FileSystem {
  /** Creates the directory and its parents; fine if it exists. The entries are durable when it resolves. */
  makeDir(path: string): Promise<void>;
  /** Names in a directory, sorted by UTF-16 code unit; `not-found` if there is none. */
  list(path: string): Promise<readonly FileEntry[]>;
  /** `not-found` if there is neither a file nor a directory. */
  stat(path: string): Promise<FileEntry>;
  /** Opens for appending at the end; creates the file if it is missing (its entry becomes durable with `sync`). */
  openAppend(path: string): Promise<AppendFile>;
  openRead(path: string): Promise<ReadFile>;
  readAll(path: string): Promise<Uint8Array>;
  /** Writes a new file and makes content and entry durable; `conflict` if it exists. Never leaves a part of it behind under `path`. */
  writeNew(path: string, bytes: Uint8Array): Promise<void>;
  /** Replaces or creates the file atomically and durably. */
  writeReplace(path: string, bytes: Uint8Array): Promise<void>;
  /** Cuts the file and makes that durable. */
  truncate(path: string, sizeBytes: number): Promise<void>;
  /** Moves a file within the file system, durably, replacing the target. */
  rename(source: string, target: string): Promise<void>;
  /** Fine if it does not exist. */
  remove(path: string): Promise<void>;
  /** Removes the directory if it is empty; otherwise does nothing. */
  removeEmptyDir(path: string): Promise<void>;
  /**
   * Takes an exclusive lock named by `path` for this process; `conflict` PS_DIR_LOCKED names the holder. A lock of a
   * process that died is taken over.
   */
  lock(path: string): Promise<FileLock>;
}

export interface FileEntry {
  readonly name: string;
  readonly isDirectory: boolean;
  /** 0 for directories. */
  readonly sizeBytes: number;
  /**
   * Whole milliseconds. No two of the files that one thread made with `writeNew` and `writeReplace` share it, so
   * together with the size it names a file's content.
   */
  readonly modifiedMs: number;
}

export interface AppendFile {
  /** Size at the last append. */
  readonly sizeBytes: number;
  /** Appends all pieces in order. After a failed append the file may hold a part of them: truncate before going on. */
  append(pieces: readonly Uint8Array[]): Promise<void>;
  /** When it resolves, everything appended before the call survives power loss. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ReadFile {
  sizeBytes(): Promise<number>;
  /**
   * Exactly [start, end), or `corrupt` PS_FILE_SHORT if the file ends before. In `room`, where that is given and long enough: for
   * readers who are done with one piece before they ask for the next.
   */
  read(start: number, end: number, room?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface FileLock {
  release(): Promise<void>;
}
