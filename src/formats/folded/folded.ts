/**
 * Stacks as text, one a line. `folded`: frames from the root, `;` between them, a blank and a count (`main;run 7`).
 * `lines`: the same without a count; each line is one sample.
 *
 * A line that cannot be read is dropped and counted; the others stay.
 */
import { invalid } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type { Rejected } from '../stacks/rejected.js';
import { NO_LABELS, ROOT, type StackProfile } from '../stacks/stack-profile.js';

export type FoldedKind = 'folded' | 'lines';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BLANK = 0x20;
const SEMICOLON = 0x3b;
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Adds the stacks of `bytes` to `profile`, one value each. Throws `invalid`: PS_FOLDED when there are lines and none is
 * a stack, PS_STACKS_TOO_LARGE.
 */
export function readFolded(
  bytes: Uint8Array,
  kind: FoldedKind,
  profile: StackProfile,
): readonly Rejected[] {
  let good = 0;
  let bad = 0;
  let example = '';
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(NEWLINE, start);
    const next = found < 0 ? bytes.length : found;
    let end = next;
    while (end > start && (bytes[end - 1] === RETURN || bytes[end - 1] === BLANK)) end--;
    if (end > start) {
      if (readLine(bytes.subarray(start, end), kind, profile)) good++;
      else if (bad++ === 0)
        example = Buffer.from(bytes.subarray(start, end)).toString('latin1', 0, 64);
    }
    start = next + 1;
  }
  if (bad === 0) return [];
  const want = kind === 'folded' ? 'frames and a count' : 'frames';
  if (good === 0) {
    throw invalid(
      'PS_FOLDED',
      `cannot read folded stacks: got ${JSON.stringify(example)}; want ${want}`,
    );
  }
  const message = `dropped ${bad} lines such as ${JSON.stringify(example)}: want ${want}`;
  return [{ reason: 'PS_FOLDED_LINE', count: bad, message }];
}

/** False for a line that is no stack. */
function readLine(line: Uint8Array, kind: FoldedKind, profile: StackProfile): boolean {
  // Some other format.
  if (line.includes(0)) return false;
  let end = line.length;
  let count = 1n;
  if (kind === 'folded') {
    end = line.lastIndexOf(BLANK);
    const digits = Buffer.from(line.subarray(end + 1)).toString('latin1', 0, 24);
    if (end < 1 || !/^[+-]?\d{1,19}$/.test(digits)) return false;
    count = BigInt(digits.startsWith('+') ? digits.slice(1) : digits);
  }
  let node = ROOT;
  for (let start = 0; start < end; ) {
    const found = line.indexOf(SEMICOLON, start);
    const stop = found < 0 || found > end ? end : found;
    // `a;;b` and a `;` at either end: nothing was there.
    if (stop > start) {
      // Not whole where it is too long, and a character that is none is shown as such: no value is lost for a name.
      const name = utf8.decode(line.subarray(start, Math.min(stop, start + LIMITS.stringBytesMax)));
      node = profile.child(node, profile.named(name));
    }
    start = stop + 1;
  }
  profile.add(node, NO_LABELS, [count]);
  return true;
}
