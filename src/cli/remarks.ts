/** What is to be said beside an answer, for people: that parts of it are missing, and what its format left out. */
import type { HttpAnswer } from './http-client.js';

interface Missing {
  readonly part: string;
  readonly code?: string;
  readonly message?: string;
}

/** Answers say it in their `stats`, comparisons in those of each side, searches for regressions by themselves. */
interface AnswerJson {
  readonly stats?: AnswerJson;
  readonly missing?: readonly Missing[];
  readonly base?: AnswerJson;
  readonly comparisons?: readonly { readonly side: AnswerJson }[];
  readonly hidden?: { readonly count: number; readonly value: string };
}

/** Lines, each once. `hasStats`: the body is JSON that says what is missing. */
export function remarksOf({ body, about }: HttpAnswer, hasStats: boolean): readonly string[] {
  const text = hasStats ? new TextDecoder().decode(body) : about;
  if (text === '') return [];
  const said = JSON.parse(text) as AnswerJson;
  const lines = missingOf(said).map(
    ({ part, code, message }) => `partial, missing ${part}: ${message ?? code ?? ''}`,
  );
  const { count = 0, value = '0' } = hasStats ? {} : (said.hidden ?? {});
  if (count > 0)
    lines.push(`left out: ${count} that --max-nodes or the format hides, ${value} in sum`);
  return [...new Set(lines)];
}

function missingOf({ stats, missing = [], base, comparisons = [] }: AnswerJson): Missing[] {
  const inner = [stats, base, ...comparisons.map(({ side }) => side)];
  return [...missing, ...inner.flatMap((part) => (part === undefined ? [] : missingOf(part)))];
}
