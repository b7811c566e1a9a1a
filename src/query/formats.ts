/** The formats of a merge, as one table: gRPC, HTTP, the command line and the engine's checks are derived from it. */
import { invalid } from '../base/errors.js';
import { LIMITS } from '../base/limits.js';

interface FormatInfo {
  /** In basalt.v1.MergeFormat. */
  readonly number: number;
  /** Values of the library that callers turn into text or messages themselves, or bytes as they are. */
  readonly kind: 'value' | 'bytes';
  readonly contentType: string;
  /** A name for saving it. */
  readonly fileName: string;
  /** Whether it shows the labels of samples. */
  readonly showsLabels?: boolean;
  /** Options of its own. */
  readonly takes: readonly (keyof FormatOptions)[];
}

export interface FormatOptions {
  /** Cuts the tree at the end only; what it hid is reported. Default 16,384 (dot: 100). */
  readonly maxNodes?: number;
  /** Of sandwich: exact name of the function. */
  readonly function?: string;
  /** Of sandwich: how far from the function; what is deeper counts for its ancestor. Default 10. */
  readonly levels?: number;
  /** Of pgo: locations kept of each stack, from the leaf. Default 5. */
  readonly keepLocations?: number;
}

const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/octet-stream';
const TEXT_TYPE = 'text/plain; charset=utf-8';

export const MERGE_FORMATS = {
  tree: {
    number: 1,
    kind: 'value',
    contentType: JSON_TYPE,
    fileName: 'tree.json',
    takes: ['maxNodes'],
  },
  top: { number: 2, kind: 'value', contentType: JSON_TYPE, fileName: 'top.json', takes: [] },
  pprof: {
    number: 3,
    kind: 'bytes',
    contentType: BINARY_TYPE,
    fileName: 'profile.pb.gz',
    showsLabels: true,
    takes: [],
  },
  folded: { number: 4, kind: 'bytes', contentType: TEXT_TYPE, fileName: 'folded.txt', takes: [] },
  sandwich: {
    number: 5,
    kind: 'value',
    contentType: JSON_TYPE,
    fileName: 'sandwich.json',
    takes: ['function', 'levels', 'maxNodes'],
  },
  flamebearer: {
    number: 6,
    kind: 'bytes',
    contentType: JSON_TYPE,
    fileName: 'flamebearer.json',
    takes: ['maxNodes'],
  },
  arrow: {
    number: 7,
    kind: 'bytes',
    contentType: 'application/vnd.apache.arrow.stream',
    fileName: 'tree.arrows',
    takes: ['maxNodes'],
  },
  dot: {
    number: 8,
    kind: 'bytes',
    contentType: 'text/vnd.graphviz; charset=utf-8',
    fileName: 'profile.dot',
    takes: ['maxNodes'],
  },
  speedscope: {
    number: 9,
    kind: 'bytes',
    contentType: JSON_TYPE,
    fileName: 'profile.speedscope.json',
    takes: [],
  },
  cpuprofile: {
    number: 10,
    kind: 'bytes',
    contentType: JSON_TYPE,
    fileName: 'profile.cpuprofile',
    takes: [],
  },
  pgo: {
    number: 11,
    kind: 'bytes',
    contentType: BINARY_TYPE,
    fileName: 'default.pgo',
    takes: ['keepLocations'],
  },
} as const satisfies Readonly<Record<string, FormatInfo>>;

export type MergeFormat = keyof typeof MERGE_FORMATS;
/** The formats that are bytes. */
export type RenderFormat = {
  [F in MergeFormat]: (typeof MERGE_FORMATS)[F]['kind'] extends 'bytes' ? F : never;
}[MergeFormat];

export const MERGE_FORMAT_NAMES = Object.keys(MERGE_FORMATS) as readonly MergeFormat[];

export function formatInfo(format: MergeFormat): FormatInfo {
  return MERGE_FORMATS[format];
}

export function isRendered(format: MergeFormat): format is RenderFormat {
  return formatInfo(format).kind === 'bytes';
}

/** Throws `invalid` PS_FORMAT, or PS_FORMAT_OPTION for an option that the format does not take. */
export function checkFormat(format: MergeFormat, options: FormatOptions): void {
  if (!MERGE_FORMAT_NAMES.includes(format)) {
    throw invalid(
      'PS_FORMAT',
      `cannot merge: got format ${JSON.stringify(format)}; want ${MERGE_FORMAT_NAMES.join(', ')}`,
    );
  }
  const { takes } = formatInfo(format);
  for (const name of ['maxNodes', 'function', 'levels', 'keepLocations'] as const) {
    if (options[name] === undefined || takes.includes(name)) continue;
    const takers = MERGE_FORMAT_NAMES.filter((f) => formatInfo(f).takes.includes(name));
    throw invalid(
      'PS_FORMAT_OPTION',
      `cannot merge: got ${name} with format ${format}; want it with ${takers.join(', ')} alone`,
    );
  }
}

/** An integer option in [1, max]. Throws `invalid` PS_FORMAT_OPTION. */
export function checkedCount(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= LIMITS.stackLevelsMax) return value;
  throw invalid(
    'PS_FORMAT_OPTION',
    `cannot merge: got ${name} ${value}; want 1 to ${LIMITS.stackLevelsMax}`,
  );
}
