/** The query string and content type of `POST /ingest`. */
import { invalid } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import type { PyroscopeFormat, PyroscopeQuery } from '../../ingest/pyroscope/body.js';
import { isMultipart } from '../../formats/multipart/multipart.js';
import { parseAttime } from './attime.js';
import { splitSession } from './session.js';

const SAMPLE_RATE_DEFAULT = 100;
const SAMPLE_RATE_MAX = 1_000_000_000;
const SPY_DEFAULT = 'unknown';

const FORMATS: Readonly<Record<string, PyroscopeFormat>> = {
  pprof: 'pprof',
  jfr: 'jfr',
  speedscope: 'speedscope',
  trie: 'trie',
  tree: 'tree',
  lines: 'lines',
  folded: 'folded',
  groups: 'folded',
};

/**
 * `search` is what follows `?`; unknown parameters are left alone, as agents send some that say nothing here. Throws
 * `invalid` PS_INGEST_NAME, PS_INGEST_FORMAT, PS_PARAMETER_COUNT, PS_TIME.
 */
export function readIngestQuery(
  search: string,
  contentType: string,
  nowMs: number,
): PyroscopeQuery {
  const values = parametersOf(search);
  const name = readName(values.get('name') ?? '');
  const time = (parameter: string): bigint | undefined => {
    const text = values.get(parameter) ?? '';
    return text === '' ? undefined : parseAttime(parameter, text, nowMs);
  };
  const fromNs = time('from');
  const untilNs = time('until');
  const rate = Number(values.get('sampleRate') ?? '');
  const isRate = Number.isInteger(rate) && rate > 0 && rate <= SAMPLE_RATE_MAX;
  return {
    ...name,
    format: formatOf(values.get('format') ?? '', contentType),
    ...(fromNs === undefined ? {} : { fromNs }),
    ...(untilNs === undefined ? {} : { untilNs }),
    sampleRate: isRate ? rate : SAMPLE_RATE_DEFAULT,
    spyName: values.get('spyName') || SPY_DEFAULT,
  };
}

/** The first value of each. */
function parametersOf(search: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let count = 0;
  for (const [name, value] of new URLSearchParams(search)) {
    if (++count > LIMITS.httpParametersMax) {
      throw invalid(
        'PS_PARAMETER_COUNT',
        `cannot read parameters: got more than ${LIMITS.httpParametersMax}; want at most that many`,
      );
    }
    if (!values.has(name)) values.set(name, value);
  }
  return values;
}

/**
 * `app{tag=value,tag2=value2}`. Values are not quoted and not escaped: one that holds a comma goes on to the next
 * `,tag=`, one that holds a brace to the last. The last of equal tags counts.
 */
export function readName(text: string): Pick<PyroscopeQuery, 'appName' | 'labels' | 'writer'> {
  const brace = text.indexOf('{');
  const appName = (brace < 0 ? text : text.slice(0, brace)).trim();
  const rest = brace < 0 ? '' : text.slice(brace + 1).trimEnd();
  if (appName === '' || (brace >= 0 && !rest.endsWith('}'))) {
    const shown = JSON.stringify(text.slice(0, 128));
    throw invalid('PS_INGEST_NAME', `cannot read name: got ${shown}; want app{tag=value}`);
  }
  const tags = new Map<string, string>();
  let last = '';
  for (const piece of rest.slice(0, -1).split(',')) {
    const equals = piece.indexOf('=');
    const name = piece.slice(0, Math.max(0, equals)).trim();
    if (name !== '') {
      last = name;
      tags.set(name, piece.slice(equals + 1).trim());
    } else if (last !== '') tags.set(last, `${tags.get(last) ?? ''},${piece}`);
    else if (piece.trim() !== '') {
      const shown = JSON.stringify(piece.slice(0, 128));
      throw invalid('PS_INGEST_NAME', `cannot read name: got tag ${shown}; want tag=value`);
    }
  }
  return { appName, ...splitSession(Array.from(tags, ([name, value]) => ({ name, value }))) };
}

function formatOf(format: string, contentType: string): PyroscopeFormat {
  const named = FORMATS[format];
  if (named !== undefined && Object.hasOwn(FORMATS, format)) return named;
  if (format !== '') {
    const known = Object.keys(FORMATS).join(', ');
    const shown = JSON.stringify(format.slice(0, 64));
    throw invalid('PS_INGEST_FORMAT', `cannot read format: got ${shown}; want ${known}`);
  }
  const mediaType = contentType.split(';')[0]?.trim().toLowerCase();
  if (mediaType === 'binary/octet-stream+trie') return 'trie';
  if (mediaType === 'binary/octet-stream+tree') return 'tree';
  return isMultipart(contentType) ? 'pprof' : 'folded';
}
