/**
 * `basalt import --from-pyroscope URL`: copies what a running Pyroscope has, through its query API.
 *
 * The range goes by the hour. Of each hour come its profile types, of each type its series, and of each series one
 * profile for each slice of time; then the hour's total at the source is compared with what came, and the state file
 * says that the hour is there. A profile's id follows from what it is a copy of, so that an hour which is done again
 * after a break counts once.
 */
import { resolve } from 'node:path';
import { invalid, StoreError } from '../base/errors.js';
import { hash128Hex } from '../base/hash.js';
import { parseDuration, parseTime } from '../server/http-times.js';
import { type CommandIo, EXIT_FAILED, EXIT_OK } from './command.js';
import { type ImportState, readImportState, writeImportState } from './import-state.js';
import { pprofFacts, withTime } from './imported-profile.js';
import type { ProfileSink } from './profile-sink.js';
import { startProgress } from './progress.js';
import { PyroscopeSource, type SourceSeries, type TimeSlice } from './pyroscope-source.js';

export interface PyroscopeImport {
  readonly io: CommandIo;
  readonly sink: ProfileSink;
  /** Names where `sink` writes to. */
  readonly target: string;
  readonly url: string;
  readonly sourceTenant: string;
  readonly sourceHeaders: readonly string[];
  readonly selector: string;
  readonly from: string;
  readonly to: string;
  readonly slice: string;
  readonly statePath: string;
  readonly parallel: number;
}

const HOUR_MS = 3_600_000;
const NS_PER_MS = 1_000_000n;

interface Totals {
  profiles: number;
  samples: number;
  /** Slices that are past their retention here already. */
  expired: number;
  /** Parts of the source that do not add up to what the source says. */
  differences: number;
}

export async function importPyroscope(options: PyroscopeImport): Promise<number> {
  const { io, selector } = options;
  const sliceMs = parseDuration('slice', options.slice);
  if (HOUR_MS % sliceMs !== 0) {
    throw invalid(
      'PS_CLI_IMPORT',
      `cannot import: got a slice of ${sliceMs} ms; want a part of an hour`,
    );
  }
  const { url, sourceTenant, target } = options;
  const what = JSON.stringify([url, sourceTenant, selector, sliceMs, target]);
  const path = resolve(io.workingDirectory, options.statePath);
  const before = await readImportState(io.files, path, what);
  const nowMs = io.clock.nowMs();
  const down = (ms: number): number => Math.floor(ms / sliceMs) * sliceMs;
  const wantedMs = down(parseTime('from', options.from, nowMs));
  if (before !== undefined && wantedMs < before.fromMs) throw earlier(path, wantedMs, before);
  const fromMs = Math.max(wantedMs, before?.nextMs ?? 0);
  // What lies between the last run's end and a later start is not copied, so the state begins anew.
  const firstMs = before !== undefined && wantedMs <= before.nextMs ? before.fromMs : fromMs;
  const toMs = down(parseTime('to', options.to, nowMs));
  const source = new PyroscopeSource({
    url,
    tenant: sourceTenant,
    headers: headersOf(options.sourceHeaders),
    clock: io.clock,
    signal: io.signal,
  });
  const run = new ImportRun(options, source, sliceMs);
  for (const hour of hoursOf(fromMs, toMs)) {
    await run.hour(hour, { fromMs, toMs });
    await writeImportState(io.files, path, { what, fromMs: firstMs, nextMs: hour.endMs });
  }
  return run.finish(Math.max(fromMs, toMs));
}

/** The state says from where on everything is there: what is before that would be skipped in silence. */
function earlier(path: string, wantedMs: number, { fromMs }: ImportState): StoreError {
  const [wanted, begun] = [wantedMs, fromMs].map((ms) => new Date(ms).toISOString());
  return invalid(
    'PS_CLI_IMPORT',
    `cannot go on with ${path}: got --from ${wanted}; want ${begun}, where that copy began, or later (another --state file)`,
  );
}

/** `Name: value`. Throws `invalid` PS_CLI_OPTION. */
function headersOf(texts: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const text of texts) {
    const colon = text.indexOf(':');
    if (colon <= 0) {
      throw invalid(
        'PS_CLI_OPTION',
        'cannot accept --source-header: got no colon; want NAME: VALUE',
      );
    }
    headers[text.slice(0, colon).trim().toLowerCase()] = text.slice(colon + 1).trim();
  }
  return headers;
}

function* hoursOf(fromMs: number, toMs: number): Generator<TimeSlice> {
  for (let startMs = fromMs; startMs < toMs; ) {
    const endMs = Math.min(toMs, Math.floor(startMs / HOUR_MS) * HOUR_MS + HOUR_MS);
    yield { startMs, endMs };
    startMs = endMs;
  }
}

/** One profile to copy. */
interface Piece {
  readonly type: string;
  readonly series: SourceSeries;
  readonly slice: TimeSlice;
}

class ImportRun {
  readonly #options: PyroscopeImport;
  readonly #source: PyroscopeSource;
  readonly #sliceMs: number;
  readonly #totals: Totals = { profiles: 0, samples: 0, expired: 0, differences: 0 };
  readonly #progress;

  constructor(options: PyroscopeImport, source: PyroscopeSource, sliceMs: number) {
    this.#options = options;
    this.#source = source;
    this.#sliceMs = sliceMs;
    this.#progress = startProgress(options.io);
  }

  async hour(hour: TimeSlice, range: { readonly fromMs: number; readonly toMs: number }) {
    try {
      for (const type of await this.#source.profileTypes(hour)) {
        await this.#type(type, hour);
      }
    } catch (error) {
      this.#progress.end();
      throw error;
    }
    const shown = new Date(hour.startMs).toISOString();
    this.#progress.update(hour.endMs - range.fromMs, range.toMs - range.fromMs, shown);
  }

  async finish(untilMs: number): Promise<number> {
    this.#progress.end();
    const { profiles, samples, expired, differences } = this.#totals;
    const { io } = this.#options;
    if (expired > 0)
      io.err(`basalt: left out ${expired} profiles that are past their retention here\n`);
    const until = new Date(untilMs).toISOString();
    await io.out(
      `${profiles} profiles, ${samples} samples imported, all before ${until}; ${differences} differences\n`,
    );
    return differences > 0 ? EXIT_FAILED : EXIT_OK;
  }

  async #type(type: string, hour: TimeSlice): Promise<void> {
    const { selector, io, parallel } = this.#options;
    const series = await this.#source.series(type, selector, hour);
    const pieces = this.#pieces(type, series, hour);
    let total = 0n;
    const work = async (): Promise<void> => {
      for (const piece of pieces) {
        io.signal.throwIfAborted();
        const copied = await this.#copy(piece);
        total += copied;
      }
    };
    // All of them end before the sink is closed, also when one failed.
    const results = await Promise.allSettled(Array.from({ length: parallel }, work));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    if (series.length === 0) return;
    const wanted = await this.#source.total(type, selector, hour);
    if (wanted === total) return;
    this.#totals.differences++;
    io.err(
      `basalt: ${type} from ${new Date(hour.startMs).toISOString()}: got ${total} in all, the source says ${wanted}\n`,
    );
  }

  /** One generator for all workers: each takes the next piece. */
  *#pieces(type: string, all: readonly SourceSeries[], hour: TimeSlice): Generator<Piece> {
    for (const series of all) {
      for (let startMs = hour.startMs; startMs < hour.endMs; startMs += this.#sliceMs) {
        const endMs = Math.min(startMs + this.#sliceMs, hour.endMs);
        yield { type, series, slice: { startMs, endMs } };
      }
    }
  }

  /** Copies one slice of one series and answers the sum of its values. */
  async #copy({ type, series, slice }: Piece): Promise<bigint> {
    const pprof = await this.#source.profile(type, series.selector, slice);
    const { samples, total, timeNs } = pprofFacts(pprof);
    if (samples === 0) return 0n;
    const startNs = BigInt(slice.startMs) * NS_PER_MS;
    const isInside = timeNs >= startNs && timeNs < BigInt(slice.endMs) * NS_PER_MS;
    const key = JSON.stringify([
      this.#options.url,
      type,
      series.labels,
      slice.startMs,
      slice.endMs,
    ]);
    const { sink, io } = this.#options;
    const written = sink.write({
      labels: series.labels,
      // What was added up over a slice has the time of its end, or whatever: it belongs to the slice.
      body: isInside ? pprof : withTime(pprof, startNs),
      // Differences are made already, or never; gauges stay gauges.
      temporality: 'delta',
      profileId: `copy-${hash128Hex(new TextEncoder().encode(key))}`,
    });
    const result = await written.catch((error: unknown) => {
      if (StoreError.from(error).code === 'PS_PROFILE_EXPIRED') return undefined;
      throw error;
    });
    if (result === undefined) {
      this.#totals.expired++;
      return total;
    }
    this.#totals.profiles += result.profiles;
    this.#totals.samples += result.samples;
    for (const rejection of result.rejections) io.err(`basalt: ${type}: ${rejection}\n`);
    return total;
  }
}
