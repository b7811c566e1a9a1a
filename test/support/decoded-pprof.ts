/**
 * A pprof in full as plain values, order kept, read by our decoder and by pprof-format: what the two are compared by.
 */
import { Profile } from 'pprof-format';
import type { DecodedPprof } from '../../src/formats/pprof/decoded.js';

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** String `index` as text; invalid UTF-8 becomes U+FFFD. */
function stringAt(decoded: DecodedPprof, index: number): string {
  const start = decoded.stringStart[index] as number;
  const end = decoded.stringEnd[index] as number;
  if (start === end) return '';
  return UTF8.decode(decoded.bytes.subarray(start, end));
}

export interface PlainMapping {
  readonly start: bigint;
  readonly limit: bigint;
  readonly offset: bigint;
  readonly file: string;
  readonly buildId: string;
}

export interface PlainLine {
  readonly name: string;
  readonly systemName: string;
  readonly file: string;
  readonly startLine: bigint;
  readonly line: bigint;
  readonly column: bigint;
}

export interface PlainLocation {
  readonly mapping: PlainMapping | null;
  readonly address: bigint;
  readonly folded: boolean;
  readonly lines: readonly PlainLine[];
}

export interface PlainSample {
  readonly locations: readonly PlainLocation[];
  readonly values: readonly bigint[];
  /** Key, text or null, number, unit. */
  readonly labels: readonly (readonly [string, string | null, bigint, string])[];
}

export interface PlainDecoded {
  readonly sampleTypes: readonly (readonly [string, string])[];
  readonly samples: readonly PlainSample[];
  readonly timeNs: bigint;
  readonly durationNs: bigint;
  readonly period: bigint;
  readonly texts: Readonly<Record<string, string>>;
  readonly comments: readonly string[];
}

export function plainOfOurs(d: DecodedPprof): PlainDecoded {
  const text = (index: number): string => stringAt(d, index);
  const at = <T>(array: { readonly [index: number]: T }, index: number): T => {
    const value = array[index];
    if (value === undefined) throw new Error(`index ${index} of nothing`);
    return value;
  };
  const range = (first: Int32Array, i: number): number[] =>
    Array.from({ length: at(first, i + 1) - at(first, i) }, (_, k) => at(first, i) + k);
  const mapping = (m: number): PlainMapping => ({
    start: at(d.mappingStart, m),
    limit: at(d.mappingLimit, m),
    offset: at(d.mappingOffset, m),
    file: text(at(d.mappingFile, m)),
    buildId: text(at(d.mappingBuildId, m)),
  });
  const line = (l: number): PlainLine => {
    const f = at(d.lineFunction, l);
    return {
      name: text(at(d.functionName, f)),
      systemName: text(at(d.functionSystemName, f)),
      file: text(at(d.functionFile, f)),
      startLine: at(d.functionStartLine, f),
      line: at(d.lineLine, l),
      column: at(d.lineColumn, l),
    };
  };
  const location = (l: number): PlainLocation => ({
    mapping: at(d.locationMapping, l) < 0 ? null : mapping(at(d.locationMapping, l)),
    address: at(d.locationAddress, l),
    folded: at(d.locationFolded, l) === 1,
    lines: range(d.locationFirstLine, l).map(line),
  });
  const sample = (s: number): PlainSample => ({
    locations: range(d.sampleFirstLocation, s).map((e) => location(at(d.sampleLocation, e))),
    values: Array.from({ length: d.sampleTypeCount }, (_, t) =>
      at(d.sampleValue, s * d.sampleTypeCount + t),
    ),
    labels: range(d.sampleFirstLabel, s).map((l) => {
      const string = at(d.labelString, l);
      return [
        text(at(d.labelKey, l)),
        string < 0 ? null : text(string),
        at(d.labelNumber, l),
        text(at(d.labelUnit, l)),
      ];
    }),
  });
  return {
    sampleTypes: Array.from({ length: d.sampleTypeCount }, (_, t) => [
      text(at(d.sampleTypeType, t)),
      text(at(d.sampleTypeUnit, t)),
    ]),
    samples: Array.from({ length: d.sampleCount }, (_, s) => sample(s)),
    timeNs: d.timeNs,
    durationNs: d.durationNs,
    period: d.period,
    texts: {
      periodType: text(d.periodType),
      periodUnit: text(d.periodUnit),
      dropFrames: text(d.dropFrames),
      keepFrames: text(d.keepFrames),
      defaultSampleType: text(d.defaultSampleType),
      docUrl: text(d.docUrl),
    },
    comments: Array.from({ length: d.commentCount }, (_, c) => text(at(d.comment, c))),
  };
}

type Numeric = number | bigint;

/** The reading of pprof-format; `plain` must be sound. */
export function plainOfTheirs(plain: Uint8Array): PlainDecoded {
  const p = Profile.decode(plain);
  const text = (index: Numeric | undefined): string =>
    p.stringTable.strings[Number(index ?? 0)] ?? '';
  const signed = (value: Numeric): bigint => BigInt.asIntN(64, BigInt(value));
  const unsigned = (value: Numeric): bigint => BigInt.asUintN(64, BigInt(value));
  const byId = <T extends { id: Numeric }>(list: readonly T[]): Map<bigint, T> =>
    new Map(list.map((element) => [unsigned(element.id), element]));
  const mappings = byId(p.mapping);
  const functions = byId(p.function);
  const locations = byId(p.location);
  const location = (id: Numeric): PlainLocation => {
    const l = locations.get(unsigned(id));
    if (l === undefined) throw new Error(`no location ${id}`);
    const m = mappings.get(unsigned(l.mappingId));
    return {
      mapping:
        m === undefined
          ? null
          : {
              start: unsigned(m.memoryStart),
              limit: unsigned(m.memoryLimit),
              offset: unsigned(m.fileOffset),
              file: text(m.filename),
              buildId: text(m.buildId),
            },
      address: unsigned(l.address),
      folded: Boolean(l.isFolded),
      lines: l.line.map((line) => {
        const f = functions.get(unsigned(line.functionId));
        if (f === undefined) throw new Error(`no function ${line.functionId}`);
        return {
          name: text(f.name),
          systemName: text(f.systemName),
          file: text(f.filename),
          startLine: signed(f.startLine),
          line: signed(line.line),
          column: signed(line.column),
        };
      }),
    };
  };
  return {
    sampleTypes: p.sampleType.map((t) => [text(t.type), text(t.unit)]),
    samples: p.sample.map((s) => ({
      locations: s.locationId.map(location),
      values: s.value.map(signed),
      labels: s.label.map((l) =>
        Number(l.str) === 0
          ? [text(l.key), null, signed(l.num), text(l.numUnit)]
          : [text(l.key), text(l.str), 0n, ''],
      ),
    })),
    timeNs: signed(p.timeNanos),
    durationNs: signed(p.durationNanos),
    period: signed(p.period),
    texts: {
      periodType: text(p.periodType?.type),
      periodUnit: text(p.periodType?.unit),
      dropFrames: text(p.dropFrames),
      keepFrames: text(p.keepFrames),
      defaultSampleType: text(p.defaultSampleType),
      docUrl: text(p.docUrl),
    },
    comments: p.comment.map(text),
  };
}
