/** A pprof as plain rows, read by pprof-format: an implementation that is not ours. */
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';

/** Rows by canonical text of (stack, sample labels), summed, zeros left out: the documented normalisation. */
export type PlainRows = Map<string, bigint>;

export interface PlainPprof {
  readonly types: readonly { readonly type: string; readonly unit: string }[];
  readonly periodType: string;
  readonly periodUnit: string;
  readonly period: bigint;
  readonly timeNs: bigint;
  readonly durationNs: bigint;
  readonly comments: readonly string[];
  rows(typeIndex: number): PlainRows;
}

export function inflate(body: Uint8Array): Uint8Array {
  return body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body;
}

export function readPprof(body: Uint8Array): PlainPprof {
  const profile = Profile.decode(inflate(body));
  const text = (index: unknown): string => profile.stringTable.strings[Number(index)] ?? '';
  const functions = new Map(profile.function.map((f) => [BigInt(f.id), f]));
  const mappings = new Map(profile.mapping.map((m) => [BigInt(m.id), m]));
  const locations = new Map(
    profile.location.map((l) => {
      const mapping = mappings.get(BigInt(l.mappingId));
      const file = mapping === undefined ? '' : text(mapping.filename);
      const buildId = mapping === undefined ? '' : text(mapping.buildId);
      // A single line that says nothing is as good as none.
      const [only] = l.line;
      const f = functions.get(BigInt(only?.functionId ?? 0));
      const isBlank =
        l.line.length === 1 &&
        Number(only?.line) === 0 &&
        text(f?.name) + text(f?.systemName) + text(f?.filename) === '' &&
        Number(f?.startLine ?? 0) === 0;
      if (l.line.length === 0 || isBlank) {
        const place =
          mapping === undefined
            ? []
            : [mapping.memoryStart, mapping.memoryLimit, mapping.fileOffset].map(String);
        return [
          BigInt(l.id),
          [
            [
              '0x',
              String(BigInt.asUintN(64, BigInt(l.address))),
              file,
              buildId,
              ...place,
              l.isFolded,
            ].join('|'),
          ],
        ];
      }
      // Innermost line first in pprof; a stack here is root first.
      const frames = l.line.map((line, i) => {
        const f = functions.get(BigInt(line.functionId));
        return [
          text(f?.name),
          text(f?.systemName),
          text(f?.filename),
          f?.startLine ?? 0,
          line.line,
          (line as { column?: unknown }).column ?? 0,
          file,
          buildId,
          i < l.line.length - 1,
          l.isFolded,
        ]
          .map(String)
          .join('|');
      });
      return [BigInt(l.id), frames.reverse()];
    }),
  );
  return {
    types: profile.sampleType.map((t) => ({ type: text(t.type), unit: text(t.unit) })),
    periodType: text(profile.periodType?.type),
    periodUnit: text(profile.periodType?.unit),
    period: BigInt(profile.period),
    timeNs: BigInt(profile.timeNanos),
    durationNs: BigInt(profile.durationNanos),
    comments: profile.comment.map(text),
    rows: (typeIndex) => {
      const rows: PlainRows = new Map();
      for (const sample of profile.sample) {
        const stack = [...sample.locationId]
          .reverse()
          .flatMap((id) => locations.get(BigInt(id)) ?? ['missing']);
        const labels = sample.label
          .map((l) =>
            Number(l.str) !== 0
              ? `${text(l.key)}=${text(l.str)}`
              : `${text(l.key)}:${BigInt.asIntN(64, BigInt(l.num))}${text(l.numUnit)}`,
          )
          .sort();
        const key = JSON.stringify([stack, labels]);
        rows.set(
          key,
          (rows.get(key) ?? 0n) + BigInt.asIntN(64, BigInt(sample.value[typeIndex] ?? 0)),
        );
      }
      for (const [key, value] of rows) if (value === 0n) rows.delete(key);
      return rows;
    },
  };
}
