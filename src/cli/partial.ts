/** What an answer could not be made of, for people: whoever looks at numbers must know that some are missing. */
import type { HttpAnswer } from './http-client.js';

interface Missing {
  readonly part: string;
  readonly message: string;
}

/** Answers say it in their `stats`, comparisons in those of each side, searches for regressions by themselves. */
interface PartialJson {
  readonly stats?: PartialJson;
  readonly missing?: readonly Missing[];
  readonly base?: PartialJson;
  readonly comparisons?: readonly { readonly side: PartialJson }[];
}

/** One line for each part that is missing, each once. `hasStats`: the body is JSON that says it. */
export function partialLines(
  { body, isPartial }: HttpAnswer,
  hasStats: boolean,
): readonly string[] {
  const missing = hasStats ? missingOf(JSON.parse(new TextDecoder().decode(body))) : [];
  const found = missing.map(({ part, message }) => `partial, missing ${part}: ${message}`);
  if (found.length === 0 && isPartial) {
    found.push('partial: some blocks could not be read (--format tree, or --explain, says which)');
  }
  return [...new Set(found)];
}

function missingOf({ stats, missing = [], base, comparisons = [] }: PartialJson): Missing[] {
  const inner = [stats, base, ...comparisons.map(({ side }) => side)];
  return [...missing, ...inner.flatMap((part) => (part === undefined ? [] : missingOf(part)))];
}
