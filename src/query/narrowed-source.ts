/** A source with fewer slices. */
import { type ProfileSource, type ScanCall, type Slice, sumRows } from './source.js';
import type { SumTarget } from './sum-kernel.js';

export class NarrowedSource implements ProfileSource {
  readonly slices: readonly Slice[];
  readonly #source: ProfileSource;

  constructor(source: ProfileSource, slices: readonly Slice[]) {
    this.#source = source;
    this.slices = slices;
  }

  get part() {
    return this.#source.part;
  }

  get rolledUp() {
    return this.#source.rolledUp;
  }

  get sums() {
    return this.#source.sums;
  }

  get profiles() {
    return this.#source.profiles;
  }

  symbols() {
    return this.#source.symbols();
  }

  stacks() {
    return this.#source.stacks();
  }

  ids(signal: AbortSignal) {
    return this.#source.ids(signal);
  }

  metadata() {
    return this.#source.metadata();
  }

  rowCount(slice: Slice) {
    return this.#source.rowCount(slice);
  }

  magnitude(column: number) {
    return this.#source.magnitude(column);
  }

  totals(column: number) {
    return this.#source.totals(column);
  }

  scan(call: ScanCall, visit: Parameters<ProfileSource['scan']>[1]) {
    return this.#source.scan(call, visit);
  }

  sum(call: ScanCall, into: SumTarget) {
    return sumRows(this.#source, call, into);
  }

  scanProfiles(call: ScanCall, visit: Parameters<ProfileSource['scanProfiles']>[1]) {
    return this.#source.scanProfiles(call, visit);
  }
}
