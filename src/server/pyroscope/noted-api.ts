/** Pyroscope's answers have no place for what could not be read: it is noted here while they are made, and said in headers. */
import type { MissingPart, QueryApi } from '../../query/api.js';
import { missingHeaders } from '../merge-answer.js';

interface Noted {
  readonly missing?: readonly MissingPart[];
  readonly stats?: { readonly missing?: readonly MissingPart[] };
}

export class NotedApi {
  /** The same API; what its answers lack is noted. */
  readonly api: QueryApi;
  readonly #missing = new Map<string, MissingPart>();

  constructor(api: QueryApi) {
    this.api = new Proxy(api, {
      get: (target, name) => {
        const method = Reflect.get(target, name) as (query: object) => Promise<Noted | undefined>;
        return async (query: object) => {
          const answer = await method.call(target, query);
          for (const part of answer?.stats?.missing ?? answer?.missing ?? [])
            this.#missing.set(part.part, part);
          return answer;
        };
      },
    });
  }

  /** None where nothing is missing. */
  headers(): Readonly<Record<string, string>> {
    return this.#missing.size === 0 ? {} : missingHeaders([...this.#missing.values()]);
  }
}
