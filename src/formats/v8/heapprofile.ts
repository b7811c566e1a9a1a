/**
 * V8's .heapprofile (`node --heap-prof`, HeapProfiler.getSamplingProfile) to pprof: inuse_space/bytes, what was
 * allocated where and is still alive. There is no count of objects: V8 scales each sampled object up to an estimate
 * of bytes and gives only those.
 */
import { LIMITS } from '../../base/limits.js';
import { encodePprof } from '../pprof/encode.js';
import {
  describe,
  frameOf,
  isObject,
  listOf,
  nonZeroRows,
  numberOf,
  parsedV8,
  V8Tree,
  v8Error,
} from './v8-tree.js';

const OBJECT = 'heap profile';

export interface HeapProfileOptions {
  /** Unix time at which it was taken. Default 0n: unknown. */
  readonly timeNs?: bigint;
  /** Bytes between samples, the profile's period. Default 0n: unknown. */
  readonly samplingIntervalBytes?: bigint;
  readonly comments?: readonly string[];
}

/** `profile` is the parsed JSON, or its text or bytes. Returns gzip pprof. Throws `invalid` PS_V8_PROFILE. */
export function heapProfileToPprof(profile: unknown, options: HeapProfileOptions = {}): Uint8Array {
  const { head } = parsedV8(OBJECT, profile);
  const tree = new V8Tree();
  const bytes = [0];
  let level: { readonly node: unknown; readonly parent: number }[] = [{ node: head, parent: -1 }];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > LIMITS.stackDepthMax) {
      throw v8Error(OBJECT, `a stack of more than ${LIMITS.stackDepthMax}`, 'at most that');
    }
    const next: typeof level = [];
    for (const { node, parent } of level) {
      if (!isObject(node)) throw v8Error(OBJECT, `node: ${describe(node)}`, 'an object');
      const frame = frameOf(OBJECT, node['callFrame']);
      const isRoot = parent < 0 && frame.functionName === '(root)';
      const own = isRoot ? 0 : tree.add(Math.max(0, parent), frame);
      if (tree.count > LIMITS.symbolsPerProfileMax) {
        throw v8Error(OBJECT, `more than ${LIMITS.symbolsPerProfileMax} nodes`, 'at most that');
      }
      const selfBytes = numberOf(OBJECT, node, 'selfSize');
      if (selfBytes < 0) throw v8Error(OBJECT, `selfSize ${selfBytes}`, 'at least 0');
      bytes[own] = selfBytes;
      if (node['children'] === undefined) continue;
      for (const child of listOf(OBJECT, node, 'children', LIMITS.symbolsPerProfileMax)) {
        next.push({ node: child, parent: own });
      }
    }
    level = next;
  }
  return encodePprof({
    ...nonZeroRows([Float64Array.from(bytes)]),
    sampleTypes: [{ type: 'inuse_space', unit: 'bytes' }],
    symbols: tree.symbols(),
    periodType: 'space',
    periodUnit: 'bytes',
    period: options.samplingIntervalBytes ?? 0n,
    timeNs: options.timeNs ?? 0n,
    comments: options.comments ?? [],
  });
}
