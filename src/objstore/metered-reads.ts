import { noteRead } from '../env/read-meter.js';
import type { Bucket } from './bucket.js';

/** The same bucket, whose reads are noted with what they brought. */
export function meteredReads(bucket: Bucket): Bucket {
  return {
    name: bucket.name,
    get: (key, options) => noted(key, bucket.get(key, options), ({ body }) => body.length),
    getRange: (key, range, options) =>
      noted(key, bucket.getRange(key, range, options), (bytes) => bytes.length),
    head: (key, options) => bucket.head(key, options),
    put: (key, body, options) => bucket.put(key, body, options),
    putIfAbsent: (key, body, options) => bucket.putIfAbsent(key, body, options),
    putIfMatch: (key, body, etag, options) => bucket.putIfMatch(key, body, etag, options),
    startUpload: (key, options) => bucket.startUpload(key, options),
    delete: (key, options) => bucket.delete(key, options),
    list: (request, options) => bucket.list(request, options),
    listFolders: (prefix, options) => bucket.listFolders(prefix, options),
    close: () => bucket.close(),
  };
}

/** Whoever looks in vain has made a request as well. */
async function noted<T>(key: string, read: Promise<T>, bytesOf: (value: T) => number): Promise<T> {
  let bytes = 0;
  try {
    const value = await read;
    bytes = bytesOf(value);
    return value;
  } finally {
    noteRead(key, bytes);
  }
}
