/**
 * Callers and callees of one function. Each stack that has the function counts once, by its outermost frame of that
 * name: what lies below it are callees, what lies above callers. So both trees have the function's total.
 */
import { frameName } from '../../model/frame.js';
import type { MergedValues } from '../merge.js';
import type { QueryContext } from '../context.js';
import {
  type Frames,
  inversion,
  keep,
  type Path,
  type PathStep,
  rewriteStacks,
} from '../stacks/rewrite.js';

export interface SandwichHalves {
  readonly callees: MergedValues;
  readonly callers: MergedValues;
}

export function sandwichHalves(
  merged: MergedValues,
  at: { readonly functionName: string; readonly levels: number },
  context: QueryContext,
): SandwichHalves {
  const hasName = (frame: Parameters<typeof frameName>[0]): boolean =>
    frameName(frame) === at.functionName;
  const outermost = (frames: Frames, path: Path): number =>
    path.frames.findIndex((f) => frames.passes(hasName, f));
  // The function itself, and so many levels.
  const firstLevels: PathStep = (path) => {
    keep(path, (i) => i <= at.levels);
    return true;
  };
  const callees = (frames: Frames): PathStep[] => [
    (path) => {
      const first = outermost(frames, path);
      keep(path, (i) => i >= first);
      return first >= 0;
    },
    firstLevels,
  ];
  const callers = (frames: Frames): PathStep[] => [
    (path) => {
      const first = outermost(frames, path);
      keep(path, (i) => i <= first);
      return first >= 0;
    },
    inversion(frames),
    firstLevels,
  ];
  return {
    callees: rewriteStacks(merged, callees, context),
    callers: rewriteStacks(merged, callers, context),
  };
}
