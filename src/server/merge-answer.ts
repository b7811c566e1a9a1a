import type { GraphQuery, QueryApi, QueryStats } from '../query/api.js';
import { checkFormat, formatInfo, isRendered, type MergeFormat } from '../query/formats.js';
import type { OptionValues } from '../query/option-tables.js';
import { sandwichJson, topJson, treeJson } from './http-json.js';

/** The answer of a merge as the bytes of the HTTP API, for the server and for the command line on a directory. */
export interface MergeAnswer {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly fileName: string;
  /** Where the body has no place for it. */
  readonly stats: QueryStats | undefined;
}

export async function mergeAnswer(
  api: QueryApi,
  query: GraphQuery & OptionValues,
  format: MergeFormat,
): Promise<MergeAnswer> {
  checkFormat(format, query);
  const { contentType, fileName } = formatInfo(format);
  if (isRendered(format)) {
    const { body, stats } = await api.mergeRendered({ ...query, format });
    return { body, contentType, fileName, stats };
  }
  return { body: await jsonOf(api, query, format), contentType, fileName, stats: undefined };
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
