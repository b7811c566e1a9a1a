/**
 * A selection cut down to what a selector can mean. A matcher on a label that a series does not have is about its
 * samples; where no sample of a service's profiles has that label, they have no part in the answer, and neither their
 * profiles nor they are counted behind it.
 *
 * What is looked at is all profiles of one service and one name together, because rollups do not tell series apart: so an
 * answer says the same whether or not it is made from them, and wherever the profiles lie.
 */
import { type CompiledSelector, deferredKey } from '../symbols/select.js';
import type { QueryContext } from './context.js';
import { groupMask, groupSlices, type SliceGroup } from './merge.js';
import { NarrowedSource } from './narrowed-source.js';
import type { SelectedSources } from './snapshot.js';
import type { ProfileSource, Slice } from './source.js';

export async function withMatchingSamples(
  selected: SelectedSources,
  selector: CompiledSelector,
  context: QueryContext,
): Promise<SelectedSources> {
  const nameOf = ({ series: { series }, deferred }: Slice): string =>
    JSON.stringify([series.service, series.profileName, deferredKey(selector, deferred)]);
  const open = new Set<string>();
  for (const { slices } of selected.sources) {
    for (const slice of slices) {
      // A sample without the label passes `zone!="eu"`, and so does a profile without samples.
      if (!slice.deferred.every((matcher) => matcher.test(''))) open.add(nameOf(slice));
    }
  }
  for (const source of selected.sources) {
    if (open.size === 0) return selected;
    const slices = source.slices.filter((slice) => open.has(nameOf(slice)));
    if (slices.length === 0) continue;
    await context.part(source.part, async () => {
      for (const group of groupSlices(slices, selector, [])) {
        for (const name of new Set(group.slices.map(nameOf))) {
          if (!open.has(name)) continue;
          const own = { ...group, slices: group.slices.filter((slice) => nameOf(slice) === name) };
          if (await hasMatch(source, own, context)) open.delete(name);
        }
      }
    });
  }
  if (open.size === 0) return selected;
  const sources = selected.sources.flatMap((source) => {
    const slices = source.slices.filter((slice) => !open.has(nameOf(slice)));
    if (slices.length === source.slices.length) return [source];
    return slices.length === 0 ? [] : [new NarrowedSource(source, slices)];
  });
  const kept = new Set(sources.flatMap((source) => source.slices.map((slice) => slice.series)));
  return { ...selected, sources, series: selected.series.filter((series) => kept.has(series)) };
}

/** Whether a sample of the group passes, with a value. */
async function hasMatch(
  source: ProfileSource,
  group: SliceGroup,
  context: QueryContext,
): Promise<boolean> {
  const passes = await groupMask(source, group, undefined, context);
  if (passes?.includes(1) === false) return false;
  let isFound = false;
  const { slices, column } = group;
  await source.scan({ slices, column, signal: context.signal }, (run) => {
    if (isFound) return;
    context.check();
    const { key, words } = run;
    for (let i = run.start; i < run.end && !isFound; i++) {
      const isPassing = passes === undefined || passes[key[i]!] === 1;
      isFound = isPassing && (words[2 * i]! | words[2 * i + 1]!) !== 0;
    }
  });
  return isFound;
}
