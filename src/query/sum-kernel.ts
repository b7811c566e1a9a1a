/**
 * The sum of 64-bit values by key in WebAssembly, which adds them as they are: some 900 million rows a second where a
 * loop over the words in doubles takes 150 (docs/adr/0017-sums-in-webassembly.md). The module is a hundred bytes, so it
 * is written down here, an instruction a line, rather than made by a compiler.
 */

import { WASM_PAGE_BYTES, type WasmMemory, WasmModule } from '../base/web-assembly.js';

interface Exports {
  readonly memory: WasmMemory;
  /**
   * For each key in [keys, keysEnd), 4 bytes each: adds the value at `values`, 8 bytes each, to the sum of that key at `sums`, 8
   * bytes each. Stops at a key that is not below `keyCount` (as an unsigned number). Returns where it stopped, else
   * `keysEnd`. All but `keyCount` are addresses.
   */
  add(keys: number, values: number, keysEnd: number, sums: number, keyCount: number): number;
}

/** Rows that wait in the module's memory: keys and values together are what a core's second cache holds. */
const STAGED_ROWS = 8_192;
const KEYS_AT = 0;
const VALUES_AT = KEYS_AT + STAGED_ROWS * 4;
const SUMS_AT = VALUES_AT + STAGED_ROWS * 8;

const I32 = 0x7f;
const [KEYS, VALUES, KEYS_END, SUMS, KEY_COUNT, KEY] = [0, 1, 2, 3, 4, 5];
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const tee = (local: number): number[] => [0x22, local];
const i32 = (small: number): number[] => [0x41, small];
const I32_ADD = 0x6a;
const I32_SHL = 0x74;
const I32_GE_UNSIGNED = 0x4f;
const I32_LOAD = [0x28, 2, 0];
const I64_LOAD = [0x29, 3, 0];
const I64_STORE = [0x37, 3, 0];
const I64_ADD = 0x7c;
const BLOCK = [0x02, 0x40];
const LOOP = [0x03, 0x40];
const END = 0x0b;
const AGAIN = [0x0c, 0];
const STOP_IF = [0x0d, 1];

const ADD = [
  ...[1, 1, I32], // one local besides the parameters
  ...BLOCK,
  ...LOOP,
  ...[...get(KEYS), ...get(KEYS_END), I32_GE_UNSIGNED, ...STOP_IF],
  ...[...get(KEYS), ...I32_LOAD, ...tee(KEY), ...get(KEY_COUNT), I32_GE_UNSIGNED, ...STOP_IF],
  // From here on KEY is the address of the key's sum.
  ...[...get(SUMS), ...get(KEY), ...i32(3), I32_SHL, I32_ADD, ...tee(KEY)],
  ...[...get(KEY), ...I64_LOAD, ...get(VALUES), ...I64_LOAD, I64_ADD, ...I64_STORE],
  ...[...get(KEYS), ...i32(4), I32_ADD, ...set(KEYS)],
  ...[...get(VALUES), ...i32(8), I32_ADD, ...set(VALUES)],
  ...AGAIN,
  END,
  END,
  ...get(KEYS),
  END,
];

/** Sizes and indexes below 128 are one byte each. */
const sized = (bytes: readonly number[]): number[] => [bytes.length, ...bytes];
const named = (name: string): number[] => sized([...Buffer.from(name)]);

const MODULE_BYTES = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, ...sized([1, 0x60, 5, I32, I32, I32, I32, I32, 1, I32])], // the type of `add`
  ...[3, ...sized([1, 0])],
  ...[5, ...sized([1, 0, Math.ceil(SUMS_AT / WASM_PAGE_BYTES)])], // the memory, in pages
  ...[7, ...sized([2, ...named('memory'), 2, 0, ...named('add'), 0, 0])],
  ...[10, ...sized([1, ...sized(ADD)])],
]);

const MODULE = new WasmModule<Exports>(() => MODULE_BYTES);

/** Instances that nobody uses: memory of WebAssembly is dear to make and never shrinks. */
const idle: SumKernel[] = [];
/** As many as two queries sum sources at once. */
const IDLE_MAX = 8;
/** Of all of them together. */
const IDLE_BYTES_MAX = 16 << 20;

/** Sums by key that one reader at a time adds up. Take one with `acquireSums`, give it back with `release`. */
export class SumKernel {
  readonly #exports: Exports;
  #keys: Int32Array = new Int32Array(0);
  #words: Int32Array = new Int32Array(0);
  #keyCount = 0;
  #staged = 0;
  /** The first key that was none, as an unsigned number. */
  #strayKey = -1;

  constructor() {
    this.#exports = MODULE.instantiate();
  }

  get sizeBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** Makes `keyCount` sums, all 0. */
  reset(keyCount: number): void {
    const { memory } = this.#exports;
    const missing = SUMS_AT + keyCount * 8 - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
    this.#keys = new Int32Array(memory.buffer, KEYS_AT, STAGED_ROWS);
    this.#words = new Int32Array(memory.buffer, VALUES_AT, STAGED_ROWS * 2);
    new Int32Array(memory.buffer, SUMS_AT, keyCount * 2).fill(0);
    this.#keyCount = keyCount;
    this.#staged = 0;
    this.#strayKey = -1;
  }

  /**
   * Adds rows [start, end): a value's words lie at 2i (low) and 2i + 1 (high). Sums wrap past 64 bits. Nothing is added for a
   * key that is none, nor after it: see `finish`.
   */
  add(
    rows: { readonly key: Int32Array; readonly words: Int32Array },
    start: number,
    end: number,
  ): void {
    for (let from = start; from < end; ) {
      const to = Math.min(end, from + STAGED_ROWS - this.#staged);
      this.#keys.set(rows.key.subarray(from, to), this.#staged);
      this.#words.set(rows.words.subarray(2 * from, 2 * to), 2 * this.#staged);
      this.#staged += to - from;
      from = to;
      if (this.#staged === STAGED_ROWS) this.#flush();
    }
  }

  #flush(): void {
    const keysEnd = KEYS_AT + this.#staged * 4;
    this.#staged = 0;
    if (this.#strayKey >= 0) return;
    const stopped = this.#exports.add(KEYS_AT, VALUES_AT, keysEnd, SUMS_AT, this.#keyCount);
    if (stopped < keysEnd) this.#strayKey = this.#keys[(stopped - KEYS_AT) / 4]! >>> 0;
  }

  /**
   * The sums' words, valid until the kernel is reset or released; or the first key that was not below the number of sums.
   */
  finish(): { readonly words: Int32Array } | { readonly strayKey: number } {
    if (this.#staged > 0) this.#flush();
    if (this.#strayKey >= 0) return { strayKey: this.#strayKey };
    return { words: new Int32Array(this.#exports.memory.buffer, SUMS_AT, this.#keyCount * 2) };
  }
}

export function acquireSums(keyCount: number): SumKernel {
  const kernel = idle.pop() ?? new SumKernel();
  kernel.reset(keyCount);
  return kernel;
}

export function releaseSums(kernel: SumKernel): void {
  const idleBytes = idle.reduce((sum, one) => sum + one.sizeBytes, kernel.sizeBytes);
  if (idle.length < IDLE_MAX && idleBytes <= IDLE_BYTES_MAX) idle.push(kernel);
}

/** Where a reader adds rows. */
export interface SumTarget {
  readonly kernel: SumKernel;
  /** Of the kernel. */
  readonly keyCount: number;
  /** Called between runs of rows; may throw. */
  readonly check: () => void;
}

export function addTo({
  kernel,
  check,
}: SumTarget): (
  run: Parameters<SumKernel['add']>[0] & { readonly start: number; readonly end: number },
) => void {
  return (run) => {
    check();
    kernel.add(run, run.start, run.end);
  };
}
