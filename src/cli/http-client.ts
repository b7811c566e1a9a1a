import { StoreError, type ErrorKind } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';
import { ABOUT_HEADER } from '../server/merge-answer.js';
import { TENANT_HEADER } from '../server/tenant.js';

export interface HttpAnswer {
  readonly body: Uint8Array;
  /** JSON: what is to be said of a body that has no place for it. Empty where it has. */
  readonly about: string;
}

/** Calls a basalt server's HTTP API. The one place outside env where `fetch` is used. */
export interface HttpClient {
  get(path: string, parameters: URLSearchParams, signal: AbortSignal): Promise<Uint8Array>;
  /** `get`, with what the server says of an answer whose body has no place for it. */
  ask(path: string, parameters: URLSearchParams, signal: AbortSignal): Promise<HttpAnswer>;
  post(
    path: string,
    parameters: URLSearchParams,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array>;
}

const KINDS: Readonly<Record<string, ErrorKind>> = {
  invalid_argument: 'invalid',
  not_found: 'not-found',
  resource_exhausted: 'limit',
  aborted: 'conflict',
  unavailable: 'unavailable',
  data_loss: 'corrupt',
  canceled: 'cancelled',
};

/** `more` are headers of every call. */
export function httpClient(
  server: string,
  tenant: string,
  more: Readonly<Record<string, string>> = {},
): HttpClient {
  const base = serverUrl(server);
  const call = async (
    path: string,
    parameters: URLSearchParams,
    init: RequestInit,
  ): Promise<HttpAnswer> => {
    const url = new URL(base);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    url.search = parameters.toString();
    const response = await send(url, init);
    const body = await readBody(response);
    if (!response.ok) throw answerError(url, response, body);
    return { body, about: response.headers.get(ABOUT_HEADER) ?? '' };
  };
  const headers = tenant === '' ? more : { ...more, [TENANT_HEADER]: tenant };
  return {
    ask: (path, parameters, signal) => call(path, parameters, { headers, signal }),
    get: async (path, parameters, signal) =>
      (await call(path, parameters, { headers, signal })).body,
    post: async (path, parameters, body, signal) => {
      const init = { method: 'POST', headers, body: Buffer.from(body), signal };
      return (await call(path, parameters, init)).body;
    },
  };
}

function serverUrl(server: string): URL {
  const text = /^https?:\/\//.test(server) ? server : `http://${server}`;
  try {
    return new URL(text);
  } catch (error) {
    throw new StoreError({
      kind: 'invalid',
      code: 'PS_CLI_SERVER',
      message: `cannot call the server: got ${JSON.stringify(server)}; want a URL such as http://127.0.0.1:4040`,
      cause: error,
    });
  }
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw StoreError.from(error);
    // fetch hides the reason ("connection refused") in the cause.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new StoreError({
      kind: 'unavailable',
      code: 'PS_CLI_SERVER',
      message: `cannot call ${url.origin}: got ${reason}; want an answer (is basalt serve running?)`,
      cause: error,
    });
  }
}

async function readBody(response: Response): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  if (response.body !== null) {
    for await (const piece of response.body) {
      sizeBytes += piece.length;
      if (sizeBytes > LIMITS.clientAnswerBytesMax) {
        throw new StoreError({
          kind: 'limit',
          code: 'PS_CLI_ANSWER',
          message: `cannot read the answer: got more than ${LIMITS.clientAnswerBytesMax} bytes; want less`,
        });
      }
      pieces.push(piece);
    }
  }
  return Buffer.concat(pieces, sizeBytes);
}

/** The server's error as it was thrown there, as far as the wire says. */
function answerError(url: URL, response: Response, body: Uint8Array): StoreError {
  const text = new TextDecoder().decode(body.subarray(0, 4_096));
  const answer = parseAnswer(text);
  if (answer !== undefined) {
    return new StoreError({
      kind: KINDS[answer.code] ?? 'internal',
      code: answer.reason,
      message: answer.message,
    });
  }
  return new StoreError({
    kind: response.status >= 500 ? 'unavailable' : 'invalid',
    code: 'PS_CLI_SERVER',
    message: `cannot use ${url.href}: got HTTP ${response.status} ${text.slice(0, 200).trim()}; want 200`,
  });
}

function parseAnswer(text: string): { code: string; reason: string; message: string } | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const { code, reason, message } = value as Record<'code' | 'reason' | 'message', unknown>;
    if (typeof code !== 'string' || typeof message !== 'string') return undefined;
    return { code, reason: typeof reason === 'string' ? reason : 'PS_CLI_SERVER', message };
  } catch {
    return undefined;
  }
}
