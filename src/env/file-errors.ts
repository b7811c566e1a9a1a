import { StoreError } from '../base/errors.js';

/** `PS_FILE_SHORT`: the file ends before what was asked for. */
export function shortFile(path: string, sizeBytes: number, end: number): StoreError {
  return new StoreError({
    kind: 'corrupt',
    code: 'PS_FILE_SHORT',
    message: `cannot read ${path}: got ${sizeBytes} bytes; want >= ${end}`,
    details: { path, sizeBytes, end },
  });
}

export function lockedBy(path: string, holder: string, cause?: unknown): StoreError {
  return new StoreError({
    kind: 'conflict',
    code: 'PS_DIR_LOCKED',
    message: `cannot lock ${path}: got a lock of ${holder}; want none`,
    details: { path, holder },
    cause,
  });
}

export function fileClosed(verb: string, path: string): StoreError {
  return new StoreError({
    kind: 'closed',
    code: 'PS_FILE_CLOSED',
    message: `cannot ${verb} ${path}: got a closed file; want an open one`,
    details: { path },
  });
}

/** The system's error number, or '' for an error of another origin. */
export function errnoOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** Turns what node:fs threw into the kinds that `FileSystem` promises. A StoreError passes as it is. */
export function fileError(verb: string, path: string, cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const errno = errnoOf(cause);
  const details = { path, errno };
  switch (errno) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
      return new StoreError({
        kind: 'not-found',
        code: 'PS_FILE_NOT_FOUND',
        message: `cannot ${verb} ${path}: got ${errno}; want a file`,
        details,
        cause,
      });
    case 'EEXIST':
      return new StoreError({
        kind: 'conflict',
        code: 'PS_FILE_EXISTS',
        message: `cannot ${verb} ${path}: got a file of that name; want none`,
        details,
        cause,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError({
        kind: 'limit',
        code: 'PS_DISK_FULL',
        message: `cannot ${verb} ${path}: got ${errno}; want free space on the disk`,
        details,
        cause,
      });
    default:
      return new StoreError({
        kind: 'unavailable',
        code: 'PS_FILE_IO',
        message: `cannot ${verb} ${path}: got ${errno === '' ? String(cause) : errno}; want success`,
        details,
        cause,
      });
  }
}
