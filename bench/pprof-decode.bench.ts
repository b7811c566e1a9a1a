/**
 * What reading a profile costs: gunzip, and decoding the plain bytes, over recorded profiles where they are there and
 * generated ones where not. One JSON line a figure.
 *
 *     npx tsx bench/pprof-decode.bench.ts [--quick] [DIR with *.pb.gz below it]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { PprofDecoder } from '../src/formats/pprof/decode.js';
import { encodePprof } from '../src/formats/pprof/encode.js';
import { inflateProfile } from '../src/formats/pprof/inflate.js';
import { isQuick, printFigure } from './support/figures.js';
import { manyStacks } from './support/stacks.js';

const ROUNDS = 7;
const PROFILES_MAX = 2_000;

function recorded(directory: string): Uint8Array[] {
  let names: string[];
  try {
    names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
  const wanted = names.filter((name) => name.endsWith('.pb.gz') && !name.includes('allocs')).sort();
  const step = isQuick ? 10 : 1;
  return wanted
    .filter((_, index) => index % step === 0)
    .slice(0, PROFILES_MAX)
    .map((name) => readFileSync(join(directory, name)));
}

/** As many samples each as the recorded ones have on average. */
function generated(): Uint8Array[] {
  return Array.from({ length: 100 }, (_, seed) => encodePprof(manyStacks(400, seed)));
}

/** Milliseconds for all of `inputs`, the best of the rounds: what else the machine does only adds. */
function bestMs<T>(inputs: readonly T[], rounds: number, work: (input: T) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (const input of inputs) work(input);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function main(): void {
  const directory = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
  const files = recorded(directory ?? join(import.meta.dirname, '../../shared/corpus'));
  const bodies = files.length > 0 ? files : generated();
  const plain = bodies.map((body) => new Uint8Array(gunzipSync(body)));
  const plainBytes = plain.reduce((sum, body) => sum + body.length, 0);
  const rounds = isQuick ? 3 : ROUNDS;
  const decoder = new PprofDecoder();
  const gunzipMs = bestMs(bodies, rounds, (body) => gunzipSync(body));
  const inflateMs = bestMs(bodies, rounds, (body) => inflateProfile(body));
  const decodeMs = bestMs(plain, rounds, (body) => decoder.decode(body));
  printFigure({ figure: 'profiles', value: bodies.length, unit: 'profiles' });
  printFigure({
    figure: 'plain bytes a profile',
    value: plainBytes / bodies.length,
    unit: 'bytes',
  });
  printFigure({ figure: 'gunzip alone', value: gunzipMs / bodies.length, unit: 'ms/profile' });
  printFigure({ figure: 'inflate', value: inflateMs / bodies.length, unit: 'ms/profile' });
  printFigure({ figure: 'inflate speed', value: plainBytes / inflateMs / 1000, unit: 'MB/s' });
  printFigure({ figure: 'decode', value: decodeMs / bodies.length, unit: 'ms/profile' });
  printFigure({ figure: 'decode speed', value: plainBytes / decodeMs / 1000, unit: 'MB/s' });
  printFigure({ figure: 'decode to gunzip', value: decodeMs / gunzipMs, unit: 'ratio' });
}

main();
