/** What a segment view says of its profiles, as plain values that compare with `readPprof`. */
import { profileTypesOf } from '../../src/model/profile-type.js';
import type { SegmentView } from '../../src/log/segment-view.js';
import type { Frame } from '../../src/model/frame.js';
import type { PlainRows } from './read-pprof.js';

export interface StoredProfile {
  readonly tenantId: string;
  readonly service: string;
  readonly profileName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly group: number;
  readonly temporalities: readonly string[];
  readonly types: readonly { readonly type: string; readonly unit: string }[];
  readonly startNs: bigint;
  readonly durationNs: bigint;
  readonly period: bigint;
  readonly id: string;
  readonly flags: number;
  readonly comments: readonly string[];
  /** One for each sample type. */
  readonly rows: readonly PlainRows[];
}

function frameText(frame: Frame): string {
  const { functionName, systemName, fileName, startLine, line, column } = frame;
  const { mappingFile, buildId, inlined, folded } = frame;
  if (functionName === '' && systemName === '' && fileName === '') {
    const place = [frame.mappingStart, frame.mappingLimit, frame.mappingOffset].map(String);
    const isMapped = mappingFile !== '' || place.some((part) => part !== '0');
    return [
      '0x',
      String(frame.address),
      mappingFile,
      buildId,
      ...(isMapped ? place : []),
      folded,
    ].join('|');
  }
  return [
    functionName,
    systemName,
    fileName,
    startLine,
    line,
    column,
    mappingFile,
    buildId,
    inlined,
    folded,
  ]
    .map(String)
    .join('|');
}

function keyText(view: SegmentView, key: number): string {
  const { nodes, frames, keys, labelSets } = view.symbols;
  const stack: string[] = [];
  for (let n = keys.node[key]!; n > 0; n = nodes.parent[n]!) {
    stack.unshift(frameText(frames.frame(nodes.frame[n]!)));
  }
  const labels = labelSets.labels(keys.labelSet[key]!);
  const texts = [
    ...labels.strings.map((l) => `${l.name}=${l.value}`),
    ...labels.numbers.map((l) => `${l.name}:${l.value}${l.unit}`),
  ];
  return JSON.stringify([stack, texts.sort()]);
}

export function storedProfiles(view: SegmentView): StoredProfile[] {
  const { profiles, batches, series } = view;
  const texts = new Map<number, string>();
  const textOf = (key: number): string => {
    const text = texts.get(key) ?? keyText(view, key);
    texts.set(key, text);
    return text;
  };
  return Array.from({ length: profiles.count }, (_, p) => {
    const of = series[profiles.series[p]!]!;
    const batch = batches[profiles.batch[p]!];
    const rows: PlainRows[] = of.series.sampleTypes.map(() => new Map());
    const first = profiles.firstRow[p]!;
    for (let r = first; r < first + profiles.rowCount[p]!; r++) {
      const key = textOf(batch!.key[r]!);
      rows.forEach((map, column) => {
        const value = BigInt(batch!.values[column]?.[r] ?? 0);
        if (map.has(key)) throw new Error(`two rows of one key: ${key}`);
        if (value !== 0n) map.set(key, value);
      });
    }
    return {
      tenantId: of.tenantId,
      service: of.series.service,
      profileName: of.series.profileName,
      labels: Object.fromEntries(of.series.labels.map((l) => [l.name, l.value])),
      group: of.series.group,
      temporalities: of.series.sampleTypes.map((t) => t.temporality),
      types: profileTypesOf(of.series).map((t) => ({ type: t.sampleType, unit: t.sampleUnit })),
      startNs: profiles.startNs[p]!,
      durationNs: profiles.durationNs[p]!,
      period: profiles.period[p]!,
      id: profiles.id[p]!,
      flags: profiles.flags[p]!,
      comments: profiles.metadata[p]!.comments,
      rows,
    };
  });
}
