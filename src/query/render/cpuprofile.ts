/**
 * V8's .cpuprofile, as DevTools and editors read it: the call tree as nodes, and one sample for each stack, which lasts
 * as long as the stack's value. Times are microseconds; a unit that is no time counts as microseconds. A stack whose
 * sum is not positive has no duration: it is left out, and told as hidden.
 */
import type { Frame } from '../../model/frame.js';
import { frameName } from '../../model/frame.js';
import type { MergedValues } from '../merge.js';
import type { Rendered, TextReport } from '../rendered.js';
import { positiveKeys, sampledKeys } from './sampled-keys.js';
import { TextChunks } from './text-chunks.js';

/** Microseconds in a unit, as a fraction, so that sums stay exact until they are rounded. */
const MICROSECONDS: ReadonlyMap<string, readonly [bigint, bigint]> = new Map([
  ['nanoseconds', [1n, 1_000n]],
  ['milliseconds', [1_000n, 1n]],
  ['seconds', [1_000_000n, 1n]],
]);

export function renderCpuProfile(
  merged: MergedValues,
  { unit, startMs, context }: TextReport & { readonly startMs: number },
): Rendered {
  const { symbols, values } = sampledKeys(merged);
  const { keys, nodes, frames } = symbols;
  const children = Array.from({ length: nodes.count }, (): number[] => []);
  for (let n = 1; n < nodes.count; n++) children[nodes.parent[n]!]!.push(n + 1);
  const hits = new Int32Array(nodes.count);
  const samples: number[] = [];
  const ends: bigint[] = [0n];
  const [factor, divisor] = MICROSECONDS.get(unit) ?? [1n, 1n];
  let sum = 0n;
  const { keys: shown, hidden } = positiveKeys(values);
  for (const k of shown) {
    sum += values[k]!;
    hits[keys.node[k]!]!++;
    samples.push(keys.node[k]! + 1);
    ends.push((sum * factor) / divisor);
  }
  const startUs = BigInt(startMs) * 1_000n;
  const text = new TextChunks('.cpuprofile', () => context.check());
  text.append('{"nodes":[');
  text.appendList(nodes.count, (n) => {
    const frame = n === 0 ? undefined : frames.frame(nodes.frame[n]!);
    return `{"id":${n + 1},"callFrame":${callFrame(frame)},"hitCount":${hits[n]!},"children":[${children[n]!.join()}]}`;
  });
  text.append(`],"startTime":${startUs},"endTime":${startUs + ends.at(-1)!},"samples":[`);
  text.appendList(samples.length, (i) => String(samples[i]!));
  text.append('],"timeDeltas":[');
  // A sample lasts until the next one: its delta is the duration of the one before.
  text.appendList(samples.length, (i) => String(i === 0 ? 0n : ends[i]! - ends[i - 1]!));
  text.append(']}\n');
  return { body: text.finish(), hidden };
}

/** Lines and columns are from 0 there. */
function callFrame(frame: Frame | undefined): string {
  const line = frame === undefined ? 0n : frame.startLine > 0n ? frame.startLine : frame.line;
  return JSON.stringify({
    functionName: frame === undefined ? '(root)' : frameName(frame),
    scriptId: '0',
    url: frame?.fileName ?? '',
    lineNumber: Number(line) - 1,
    columnNumber: Number(frame?.column ?? 0n) - 1,
  });
}
