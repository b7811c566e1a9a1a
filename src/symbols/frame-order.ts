/** The order of frames among siblings of a trie: by content id; between two contents of one id, by content. */
import type { Frame } from '../model/frame.js';
import type { FrameTable } from './source.js';

/** Below 0 if frame `a` of the table comes before frame `b`, 0 only for equal contents. */
export function compareFrames(frames: FrameTable, a: number, b: number): number {
  const { idHigh, idLow } = frames;
  return (
    idHigh[a]! - idHigh[b]! ||
    idLow[a]! - idLow[b]! ||
    compareContent(frames.frame(a), frames.frame(b))
  );
}

/** Any total order by content will do: it is asked only when two contents share an id. */
function compareContent(a: Frame, b: Frame): number {
  const text = (f: Frame): string =>
    JSON.stringify(
      Object.entries(f)
        .map(([name, value]) => [name, String(value)])
        .sort(),
    );
  const x = text(a);
  const y = text(b);
  return x < y ? -1 : x > y ? 1 : 0;
}
