/** Asks a running Pyroscope, or whatever speaks its read API, with patience: what may pass later is tried again. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { isKind } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import type { Clock } from '../env/clock.js';
import {
  ProfileTypesRequestSchema,
  ProfileTypesResponseSchema,
  QuerierService,
  SelectMergeProfileRequestSchema,
  SelectMergeStacktracesRequestSchema,
  SelectMergeStacktracesResponseSchema,
  SeriesRequestSchema,
  SeriesResponseSchema,
} from '../gen/querier/v1/querier_pb.js';
import type { Label } from '../model/labels.js';
import { type HttpClient, httpClient } from './http-client.js';

export interface SourceOptions {
  readonly url: string;
  readonly tenant: string;
  /** `Name: value`, for a proxy that wants to know who asks. */
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Half-open, unix milliseconds. */
export interface TimeSlice {
  readonly startMs: number;
  readonly endMs: number;
}

/** One label set of one profile type, and a selector for it alone. */
export interface SourceSeries {
  readonly labels: readonly Label[];
  readonly selector: string;
}

const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 10_000;
/** Labels that a source derives from others. */
const DERIVED = /^__(?:profile_type|type|unit|period_type|period_unit|service_name|session_id)__$/;
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export class PyroscopeSource {
  readonly #client: HttpClient;
  readonly #options: SourceOptions;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#client = httpClient(options.url, options.tenant, {
      ...options.headers,
      'content-type': 'application/proto',
      'connect-protocol-version': '1',
      // Else names such as k8s.pod.name are left out.
      accept: '*/*;allow-utf8-labelnames=true',
    });
  }

  async profileTypes(slice: TimeSlice): Promise<readonly string[]> {
    const answer = await this.#ask(
      'ProfileTypes',
      [ProfileTypesRequestSchema, bounds(slice)],
      ProfileTypesResponseSchema,
    );
    return answer.profileTypes.map((type) => type.ID).sort();
  }

  async series(
    profileType: string,
    selector: string,
    slice: TimeSlice,
  ): Promise<readonly SourceSeries[]> {
    const matchers = [withMatcher(selector, `__profile_type__=${JSON.stringify(profileType)}`)];
    const answer = await this.#ask(
      'Series',
      [SeriesRequestSchema, { ...bounds(slice), matchers }],
      SeriesResponseSchema,
    );
    const sets = answer.labelsSet.map(({ labels }) =>
      labels.filter(({ name }) => !DERIVED.test(name)).map(({ name, value }) => ({ name, value })),
    );
    return exactSelectors(distinct(sets), selector);
  }

  /** The sum of all values of a type; the tree itself is not wanted. */
  async total(profileType: string, selector: string, slice: TimeSlice): Promise<bigint> {
    const request = {
      ...bounds(slice),
      profileTypeID: profileType,
      labelSelector: selector,
      maxNodes: 1n,
    };
    const answer = await this.#ask(
      'SelectMergeStacktraces',
      [SelectMergeStacktracesRequestSchema, request],
      SelectMergeStacktracesResponseSchema,
    );
    return answer.flamegraph?.total ?? 0n;
  }

  /** One profile out of all that match: pprof, not compressed. */
  async profile(profileType: string, selector: string, slice: TimeSlice): Promise<Uint8Array> {
    const request = { ...bounds(slice), profileTypeID: profileType, labelSelector: selector };
    const message = create(SelectMergeProfileRequestSchema, request);
    return this.#post('SelectMergeProfile', toBinary(SelectMergeProfileRequestSchema, message));
  }

  async #ask<I extends DescMessage, O extends DescMessage>(
    method: string,
    [schema, init]: readonly [I, MessageInitShape<I>],
    output: O,
  ): Promise<MessageShape<O>> {
    const body = toBinary(schema, create(schema, init));
    return fromBinary(output, await this.#post(method, body));
  }

  async #post(method: string, body: Uint8Array): Promise<Uint8Array> {
    const { clock, signal } = this.#options;
    const path = `/${QuerierService.typeName}/${method}`;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#client.post(path, new URLSearchParams(), body, signal);
      } catch (error) {
        const mayPass = isKind(error, 'unavailable') || isKind(error, 'limit');
        if (!mayPass || attempt >= LIMITS.importAttemptsMax) throw error;
        await clock.sleep(Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** (attempt - 1)), signal);
      }
    }
  }
}

/** Both ends are included there. */
function bounds({ startMs, endMs }: TimeSlice): { readonly start: bigint; readonly end: bigint } {
  return { start: BigInt(startMs), end: BigInt(endMs - 1) };
}

/** `{a="b"}` and one more matcher. */
export function withMatcher(selector: string, matcher: string): string {
  const inside = selector
    .trim()
    .replace(/^\{/, '')
    .replace(/,?\s*\}$/, '');
  return inside.trim() === '' ? `{${matcher}}` : `{${inside},${matcher}}`;
}

function distinct(sets: readonly (readonly Label[])[]): readonly (readonly Label[])[] {
  return [...new Map(sets.map((labels) => [JSON.stringify(labels), labels])).values()];
}

/** A label that another series has and this one lacks must be missing, or the selector would take both. */
export function exactSelectors(
  sets: readonly (readonly Label[])[],
  selector: string,
): readonly SourceSeries[] {
  const names = [...new Set(sets.flatMap((labels) => labels.map(({ name }) => name)))].sort();
  return sets.map((labels) => {
    const values = new Map(labels.map(({ name, value }) => [name, value]));
    const matchers = names.map((name) => {
      const shown = PLAIN_NAME.test(name) ? name : JSON.stringify(name);
      return `${shown}=${JSON.stringify(values.get(name) ?? '')}`;
    });
    return { labels, selector: withMatcher(selector, matchers.join()) };
  });
}
