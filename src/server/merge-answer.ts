import type { GraphQuery, HiddenPart, MissingPart, QueryApi, QueryStats } from '../query/api.js';
import { checkFormat, formatInfo, isRendered, type MergeFormat } from '../query/formats.js';
import type { OptionValues } from '../query/option-tables.js';
import { sandwichJson, topJson, treeJson } from './http-json.js';

/** The header with what is to be said of an answer whose body has no place for it. */
export const ABOUT_HEADER = 'basalt-stats';

/** The answer of a merge as the bytes of the HTTP API, for the server and for the command line on a directory. */
export interface MergeAnswer {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly fileName: string;
  /** Where the body has no place for it. */
  readonly about: AboutAnswer | undefined;
}

/** What stands behind an answer and what it hides. */
export interface AboutAnswer {
  readonly stats: QueryStats;
  readonly hidden: HiddenPart;
}

/** Of parts that are missing, those that are named. */
const MISSING_MAX = 16;
const NOT_ASCII = /[^ -~]/g;

/** JSON in ASCII, as a header has to be. */
export function aboutText({ stats, hidden }: AboutAnswer): string {
  const { missing, ...counts } = stats;
  const value = String(hidden.value);
  return asciiJson({ ...counts, hidden: { ...hidden, value }, missing: shownParts(missing) });
}

/** Of an answer that says nothing of itself but what it lacks. */
export function missingHeaders(missing: readonly MissingPart[]): Record<string, string> {
  return {
    [ABOUT_HEADER]: asciiJson({ missing: shownParts(missing) }),
    [PARTIAL_HEADER]: String(missing.length > 0),
  };
}

const PARTIAL_HEADER = 'basalt-partial';

function shownParts(missing: readonly MissingPart[]): readonly object[] {
  return missing.slice(0, MISSING_MAX).map(({ part, code }) => ({ part, code }));
}

function asciiJson(value: object): string {
  return JSON.stringify(value).replaceAll(
    NOT_ASCII,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function aboutHeaders(about: AboutAnswer): Record<string, string> {
  const isPartial = about.stats.missing.length > 0;
  return { [ABOUT_HEADER]: aboutText(about), [PARTIAL_HEADER]: String(isPartial) };
}

export async function mergeAnswer(
  api: QueryApi,
  query: GraphQuery & OptionValues,
  format: MergeFormat,
): Promise<MergeAnswer> {
  checkFormat(format, query);
  const { contentType, fileName } = formatInfo(format);
  if (isRendered(format)) {
    const { body, ...about } = await api.mergeRendered({ ...query, format });
    return { body, contentType, fileName, about };
  }
  return { body: await jsonOf(api, query, format), contentType, fileName, about: undefined };
}

async function jsonOf(
  api: QueryApi,
  query: GraphQuery & OptionValues,
  format: Exclude<MergeFormat, Parameters<QueryApi['mergeRendered']>[0]['format']>,
): Promise<Uint8Array> {
  switch (format) {
    case 'tree':
      return treeJson(await api.mergeTree(query));
    case 'top':
      return topJson(await api.mergeTop(query));
    case 'sandwich':
      return sandwichJson(await api.mergeSandwich({ ...query, function: query.function ?? '' }));
  }
}
