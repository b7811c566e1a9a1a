/** Reads the profiles of one side, or as many of them as are enough, sample by sample. */
import type { CompiledSelector } from '../../symbols/select.js';
import type { SymbolSource } from '../../symbols/source.js';
import type { MissingPart } from '../api.js';
import { aggregationOf } from '../aggregate.js';
import type { QueryContext } from '../context.js';
import { WORD } from '../kernels.js';
import type { KeyFilter } from '../key-filter.js';
import { checkKeys, groupMask, groupSlices, type SliceGroup } from '../merge.js';
import type { ProfileSource, Slice } from '../source.js';
import { type FunctionNumbers, StackFunctions } from './moments.js';
import type { Observer } from './observer.js';

export interface ObserveRequest {
  readonly sources: readonly ProfileSource[];
  readonly selector: CompiledSelector;
  readonly filter: KeyFilter | undefined;
  readonly numbers: FunctionNumbers;
  readonly observer: Observer;
  /** Of more profiles every n-th is read. */
  readonly profilesMax: number;
  /** Whether a gauge's profiles count as parts of their series' average, as they do in sums, and not each as one. */
  readonly weighsSeries?: boolean;
  readonly context: QueryContext;
}

/** What is looked at, and by whom. */
export type Observation = Pick<
  ObserveRequest,
  'numbers' | 'observer' | 'profilesMax' | 'weighsSeries'
>;

export interface Observed {
  /** Selected. */
  readonly profiles: number;
  /** What could not be looked at: old profiles that are there as sums. */
  readonly missing: readonly MissingPart[];
}

export async function observe(request: ObserveRequest): Promise<Observed> {
  const { sources, context } = request;
  let profiles = 0;
  for (const { slices } of sources) {
    for (const { first, end } of slices) profiles += end - first;
  }
  const stride = Math.max(1, profiles / request.profilesMax);
  const functions = new Map<SymbolSource, StackFunctions>();
  let seen = 0;
  for (const source of sources) {
    const chosen = source.slices.flatMap((slice) => {
      const own = everyNth(slice, stride, seen);
      seen += slice.end - slice.first;
      return own;
    });
    context.checkRows(chosen.reduce((sum, slice) => sum + source.rowCount(slice), 0));
    await context.part(source.part, async () => {
      for (const group of groupSlices(chosen, request.selector, [])) {
        const symbols = await source.stacks();
        const own = functions.get(symbols) ?? new StackFunctions(symbols, request.numbers);
        functions.set(symbols, own);
        await readGroup({ ...request, source, group, functions: own });
      }
    });
  }
  return { profiles, missing: context.missing };
}

/** Single profiles of a slice, `stride` apart on the average, as if all slices lay in one row. */
function everyNth(slice: Slice, stride: number, before: number): readonly Slice[] {
  if (stride === 1) return [slice];
  const out: Slice[] = [];
  for (let i = Math.ceil(before / stride); ; i++) {
    const p = slice.first + Math.floor(i * stride) - before;
    if (p >= slice.end) return out;
    if (p >= slice.first) out.push({ ...slice, first: p, end: p + 1 });
  }
}

interface GroupWork extends ObserveRequest {
  readonly source: ProfileSource;
  readonly group: SliceGroup;
  readonly functions: StackFunctions;
}

async function readGroup(work: GroupWork): Promise<void> {
  const { source, group, context, functions, observer } = work;
  const { startNs } = source.profiles;
  const passes = await groupMask(source, group, work.filter, context);
  const keyCount = (await source.stacks()).keys.count;
  const withRows = new Set<number>();
  let current = -1;
  let weight = 1;
  const weightOf = work.weighsSeries === true ? seriesWeight(group.slices) : () => 1;
  const call = { slices: group.slices, column: group.column, signal: context.signal };
  await source.scanProfiles(call, (position, run) => {
    checkKeys(source, run, keyCount);
    if (position !== current) {
      weight = weightOf(position);
      context.check();
      if (current >= 0) observer.endProfile(startNs[current]!);
      current = position;
      withRows.add(position);
    }
    const { key, words, start, end } = run;
    for (let i = start; i < end; i++) {
      const k = key[i]!;
      if (passes !== undefined && passes[k] === 0) continue;
      const value = words[2 * i + 1]! * WORD + (words[2 * i]! >>> 0);
      if (value !== 0) observer.add(functions.of(k), value * weight);
    }
  });
  if (current >= 0) observer.endProfile(startNs[current]!);
  for (const { first, end } of group.slices) {
    for (let p = first; p < end; p++) if (!withRows.has(p)) observer.endProfile(startNs[p]!);
  }
}

/** Of the profile at a position: what it adds to the value of its series, of which positions come in the order of slices. */
function seriesWeight(slices: readonly Slice[]): (position: number) => number {
  let at = 0;
  const isIn = (position: number, { first, end }: Slice): boolean =>
    position >= first && position < end;
  return (position) => {
    for (let tries = 0; tries < slices.length && !isIn(position, slices[at]!); tries++)
      at = (at + 1) % slices.length;
    const { series } = slices[at]!;
    return aggregationOf(series, undefined) === 'avg' ? 1 / series.profileCount : 1;
  };
}
