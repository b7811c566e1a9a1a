/**
 * JSON for speedscope: one profile of kind `sampled`, a stack for each key. Weights are JSON numbers, the nearest one
 * past 2^53; speedscope has no negative ones, so stacks whose sum is not positive are left out, and told as hidden.
 */
import { frameName } from '../../model/frame.js';
import type { MergedValues } from '../merge.js';
import type { Rendered, TextReport } from '../rendered.js';
import { compactFrames } from '../../symbols/depth-first.js';
import { positiveKeys, sampledKeys } from './sampled-keys.js';
import { TextChunks } from './text-chunks.js';

/** The units that speedscope knows. */
const UNITS = new Set(['nanoseconds', 'microseconds', 'milliseconds', 'seconds', 'bytes']);

export function renderSpeedscope(
  merged: MergedValues,
  { name, unit, context }: TextReport & { readonly name: string },
): Rendered {
  const { symbols: ordered, values } = sampledKeys(merged);
  const symbols = compactFrames(ordered);
  const { keys, nodes, frames } = symbols;
  const { keys: numbers, hidden } = positiveKeys(values);
  const end = numbers.reduce((sum, k) => sum + values[k]!, 0n);
  const text = new TextChunks('speedscope', () => context.check());
  text.append(
    '{"$schema":"https://www.speedscope.app/file-format-schema.json","exporter":"basalt",',
  );
  text.append(`"name":${JSON.stringify(name)},"activeProfileIndex":0,"shared":{"frames":[`);
  text.appendList(frames.count, (f) => frameJson(frames.frame(f)));
  text.append(`]},"profiles":[{"type":"sampled","name":${JSON.stringify(name)},`);
  text.append(
    `"unit":"${UNITS.has(unit) ? unit : 'none'}","startValue":0,"endValue":${end},"samples":[`,
  );
  text.appendList(numbers.length, (i) => {
    const path: number[] = [];
    for (let n = keys.node[numbers[i]!]!; n > 0; n = nodes.parent[n]!) path.push(nodes.frame[n]!);
    return `[${path.reverse().join()}]`;
  });
  text.append('],"weights":[');
  text.appendList(numbers.length, (i) => String(values[numbers[i]!]!));
  text.append(']}]}\n');
  return { body: text.finish(), hidden };
}

function frameJson(frame: Parameters<typeof frameName>[0]): string {
  const { fileName, line, column } = frame;
  return JSON.stringify({
    name: frameName(frame),
    ...(fileName === '' ? {} : { file: fileName }),
    ...(line > 0n ? { line: Number(line) } : {}),
    ...(column > 0n ? { col: Number(column) } : {}),
  });
}
