/** pprof bytes from plain values, by pprof-format: an encoder that is not ours. */
import { gzipSync } from 'node:zlib';
import {
  Function as PprofFunction,
  Label,
  Line,
  Location,
  Profile,
  Sample,
  StringTable,
  ValueType,
} from 'pprof-format';

export interface PlainProfile {
  readonly types: readonly { readonly type: string; readonly unit: string }[];
  readonly periodType: string;
  readonly periodUnit: string;
  readonly startMs: number;
  readonly durationMs?: number;
  readonly samples: readonly {
    /** Root first. */
    readonly functions: readonly string[];
    readonly labels?: Readonly<Record<string, string>>;
    readonly values: readonly bigint[];
  }[];
}

export function plainPprof(profile: PlainProfile): Uint8Array {
  const strings = new StringTable();
  const index = (text: string): number => strings.dedup(text);
  const functions = new Map<string, number>();
  const functionList: PprofFunction[] = [];
  const locationList: Location[] = [];
  const locate = (name: string): number => {
    const known = functions.get(name);
    if (known !== undefined) return known;
    const id = functionList.length + 1;
    functions.set(name, id);
    functionList.push(
      new PprofFunction({
        id,
        name: index(name),
        systemName: index(name),
        filename: index(`${name}.go`),
      }),
    );
    locationList.push(
      new Location({ id, line: [new Line({ functionId: id, line: name.length })] }),
    );
    return id;
  };
  const encoded = new Profile({
    sampleType: profile.types.map(
      (t) => new ValueType({ type: index(t.type), unit: index(t.unit) }),
    ),
    sample: profile.samples.map(
      (s) =>
        new Sample({
          locationId: [...s.functions].reverse().map(locate),
          value: [...s.values],
          label: Object.entries(s.labels ?? {}).map(
            ([key, str]) => new Label({ key: index(key), str: index(str) }),
          ),
        }),
    ),
    location: locationList,
    function: functionList,
    stringTable: strings,
    timeNanos: BigInt(profile.startMs) * 1_000_000n,
    durationNanos: BigInt(profile.durationMs ?? 0) * 1_000_000n,
    periodType: new ValueType({ type: index(profile.periodType), unit: index(profile.periodUnit) }),
    period: 1,
  });
  return gzipSync(encoded.encode(), { level: 1 });
}
