/** `go tool pprof`, an implementation that is not ours, and what its answers say. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Profile } from 'pprof-format';
import { inflate } from './read-pprof.js';

const run = promisify(execFile);

/** Why there is no `go tool pprof` to ask, or undefined. */
export function goMissing(): string | undefined {
  const found = spawnSync('go', ['tool', 'pprof', '-help'], { encoding: 'utf8' });
  if (found.error !== undefined) return `no go: ${found.error.message}`;
  return `${found.stdout}${found.stderr}`.includes('prune_from') ? undefined : 'go has no pprof';
}

let program: Promise<string> | undefined;

/** The program itself: `go tool` takes longer than it does. */
async function pprofProgram(): Promise<string> {
  // The first call builds it, where that is needed.
  await run('go', ['tool', 'pprof', '-help']);
  const { stdout } = await run('go', ['tool', '-n', 'pprof']);
  return stdout.trim();
}

/** Its standard output. Nothing is symbolized anew. */
export async function goPprof(args: readonly string[]): Promise<Buffer> {
  program ??= pprofProgram();
  const { stdout } = await run(await program, ['-symbolize=none', ...args], {
    encoding: 'buffer',
    maxBuffer: 64 << 20,
  });
  return stdout;
}

export interface StackRows {
  readonly types: readonly { readonly type: string; readonly unit: string }[];
  /** By JSON of the frames, root first; summed, zeros left out. */
  rows(typeIndex: number): Map<string, bigint>;
}

/** Stacks of a pprof by function, system name, file and line; addresses where there is no line. */
export function stackRows(body: Uint8Array): StackRows {
  const profile = Profile.decode(inflate(body));
  const text = (index: unknown): string => profile.stringTable.strings[Number(index)] ?? '';
  const functions = new Map(profile.function.map((f) => [BigInt(f.id), f]));
  const mappings = new Map(profile.mapping.map((m) => [BigInt(m.id), m]));
  const framesOf = new Map(
    profile.location.map((l) => {
      const lines = l.line.map((line) => {
        const f = functions.get(BigInt(line.functionId));
        return [text(f?.name), text(f?.systemName), text(f?.filename), String(line.line)].join('|');
      });
      // A single line that says nothing is as good as none (docs/format/pprof-normalisation.md).
      if (lines.length === 0 || lines.join() === '|||0') {
        const mapping = mappings.get(BigInt(l.mappingId));
        const address = BigInt.asUintN(64, BigInt(l.address)).toString(16);
        return [BigInt(l.id), [`${text(mapping?.filename)}+0x${address}`]];
      }
      return [BigInt(l.id), lines];
    }),
  );
  return {
    types: profile.sampleType.map((t) => ({ type: text(t.type), unit: text(t.unit) })),
    rows(typeIndex) {
      const out = new Map<string, bigint>();
      for (const { locationId, value } of profile.sample) {
        const stack = locationId.flatMap((id) => framesOf.get(BigInt(id)) ?? ['?']).reverse();
        const key = JSON.stringify(stack);
        const one = BigInt.asIntN(64, BigInt(value[typeIndex] ?? 0));
        out.set(key, (out.get(key) ?? 0n) + one);
      }
      for (const [key, value] of out) if (value === 0n) out.delete(key);
      return out;
    },
  };
}

/** Distinct texts of a profile that filters look at. */
export function symbolTexts(body: Uint8Array): { functions: string[]; files: string[] } {
  const profile = Profile.decode(inflate(body));
  const text = (index: unknown): string => profile.stringTable.strings[Number(index)] ?? '';
  const distinct = (list: string[]): string[] => [...new Set(list)].filter((t) => t !== '').sort();
  return {
    functions: distinct(profile.function.map((f) => text(f.name))),
    files: distinct([
      ...profile.function.map((f) => text(f.filename)),
      ...profile.mapping.map((m) => text(m.filename)),
    ]),
  };
}

export function escapedRegex(literal: string): string {
  return literal.replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
}
