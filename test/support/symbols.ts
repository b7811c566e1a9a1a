import { frameContentId } from '../../src/symbols/content-id.js';
import { EMPTY_FRAME, type Frame } from '../../src/model/frame.js';
import { sampleLabelsFromKey } from '../../src/model/sample-labels.js';
import type { BlockReader } from '../../src/block/types.js';
import { type SymbolSource, withoutLabels } from '../../src/symbols/source.js';

/** A stack as a test writes it: function names root first, and the key of its sample labels. */
export interface PlainKey {
  readonly functions: readonly string[];
  readonly labelSet: string;
}

export function plainFrame(functionName: string): Frame {
  return { ...EMPTY_FRAME, functionName };
}

/** The obvious way to make a SymbolSource: maps and strings. Key i is `plain[i]`. */
export function symbolsOf(plain: readonly PlainKey[]): SymbolSource {
  const frames: Frame[] = [];
  const labelSets: string[] = [''];
  const parent = [-1];
  const frameOf = [-1];
  const number = new Map<string, number>();
  const find = <T>(list: T[], same: (item: T) => boolean, item: T): number => {
    const at = list.findIndex(same);
    if (at >= 0) return at;
    list.push(item);
    return list.length - 1;
  };
  const keyNode: number[] = [];
  const keyLabelSet: number[] = [];
  for (const { functions, labelSet } of plain) {
    let node = 0;
    for (const name of functions) {
      const frame = find(frames, (f) => f.functionName === name, plainFrame(name));
      const key = `${node}/${frame}`;
      const known = number.get(key);
      if (known === undefined) {
        parent.push(node);
        frameOf.push(frame);
        node = parent.length - 1;
        number.set(key, node);
      } else node = known;
    }
    keyNode.push(node);
    keyLabelSet.push(find(labelSets, (set) => set === labelSet, labelSet));
  }
  const ids = new Uint32Array(frames.length * 2);
  for (const [i, frame] of frames.entries()) frameContentId(frame, ids, i * 2);
  return {
    frames: {
      count: frames.length,
      idHigh: Uint32Array.from(frames, (_, i) => ids[i * 2] as number),
      idLow: Uint32Array.from(frames, (_, i) => ids[i * 2 + 1] as number),
      frame: (index) => frames[index] as Frame,
    },
    nodes: {
      count: parent.length,
      parent: Int32Array.from(parent),
      frame: Int32Array.from(frameOf),
    },
    keys: {
      count: plain.length,
      node: Int32Array.from(keyNode),
      labelSet: Int32Array.from(keyLabelSet),
    },
    labelSets: {
      count: labelSets.length,
      key: (index) => labelSets[index] as string,
      labels: (index) => sampleLabelsFromKey(labelSets[index] as string),
    },
  };
}

/** Key `index` of `source` as a test writes it. */
export function plainKey(source: SymbolSource, index: number): PlainKey {
  const functions: string[] = [];
  for (let n = source.keys.node[index] as number; n > 0; n = source.nodes.parent[n] as number) {
    functions.unshift(source.frames.frame(source.nodes.frame[n] as number).functionName);
  }
  return { functions, labelSet: source.labelSets.key(source.keys.labelSet[index] as number) };
}

/** What a block with these services answers: one table of their frames, each once. */
export function symbolReads(
  services: ReadonlyMap<string, SymbolSource>,
): Pick<BlockReader, 'frames' | 'stacks' | 'labelSetNumbers' | 'labels' | 'symbols'> {
  const list: Frame[] = [];
  const idHigh: number[] = [];
  const idLow: number[] = [];
  const numbers = new Map<string, number>();
  const numberOf = ({ frames }: SymbolSource, index: number): number => {
    const id = `${frames.idHigh[index]}/${frames.idLow[index]}`;
    const number = numbers.get(id) ?? list.length;
    if (number === list.length) {
      numbers.set(id, number);
      list.push(frames.frame(index));
      idHigh.push(frames.idHigh[index]!);
      idLow.push(frames.idLow[index]!);
    }
    return number;
  };
  const stacks = new Map(
    [...services].map(([service, source]) => {
      const frame = source.nodes.frame.map((f) => (f < 0 ? f : numberOf(source, f)));
      const { nodes, keys, labelSets } = source;
      return [service, { nodes: { ...nodes, frame }, keys, labelSets }];
    }),
  );
  const frames = {
    count: list.length,
    idHigh: Uint32Array.from(idHigh),
    idLow: Uint32Array.from(idLow),
    sizeBytes: list.length * 100,
    frame: (index: number) => list[index]!,
  };
  return {
    frames: async () => frames,
    stacks: async (service) => {
      const { nodes, keys } = stacks.get(service)!;
      return { nodes, ...withoutLabels(keys.node) };
    },
    labelSetNumbers: async (service) => stacks.get(service)!.keys.labelSet,
    labels: async (service) => {
      const { keys, labelSets } = stacks.get(service)!;
      return { labelSet: keys.labelSet, labelSets };
    },
    symbols: async (service) => ({ ...stacks.get(service)!, frames }),
  };
}
