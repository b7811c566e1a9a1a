/**
 * Frames under one numbering for the life of the process, as records of integers: a frame is (function, line, column,
 * place, address, flags), a function is strings and a start line, a place is a mapping's file and build id. Equal
 * content is the same record, so no text is compared. The content id is computed once, when a frame is new.
 */
import type { Frame } from '../model/frame.js';
import { frameContentId } from './content-id.js';
import type { StringTexts } from './intern-strings.js';
import type { SymbolsKernel } from './kernel.js';
import {
  ADDRESS_WIDTH,
  FRAME_FOLDED,
  FRAME_INLINED,
  FRAME_WIDTH,
  FUNCTION_WIDTH,
  PLACE_WIDTH,
} from './kernel-layout.js';

/** Fields of `functions`: numbers of strings, and the start line as two halves. */
export const FUNCTION = {
  name: 0,
  system: 1,
  file: 2,
  startLow: 3,
  startHigh: 4,
  width: FUNCTION_WIDTH,
} as const;

/** Fields of `places`: numbers of strings. */
export const PLACE = { file: 0, buildId: 1, width: PLACE_WIDTH } as const;

/** Fields of `addresses`: 64-bit numbers, low half first. */
export const ADDRESS = { start: 0, limit: 2, offset: 4, address: 6, width: ADDRESS_WIDTH } as const;

/** Fields of `frames`. `flags` also holds the frame type: `type << FRAME_TYPE_SHIFT`. */
export const FRAME = {
  function: 0,
  lineLow: 1,
  lineHigh: 2,
  columnLow: 3,
  columnHigh: 4,
  place: 5,
  address: 6,
  flags: 7,
  width: FRAME_WIDTH,
} as const;

export const FRAME_TYPE_SHIFT = 2;

/** Entry 0 of functions, places and addresses: nothing is known. */
export const NOTHING = 0;

export class InternedFrames {
  readonly #tables: SymbolsKernel;
  readonly #strings: StringTexts;
  /** Content ids of frames, the high half at `frame * 2`. */
  ids = new Uint32Array(2048);
  #idCount = 0;

  constructor(tables: SymbolsKernel, strings: StringTexts) {
    this.#tables = tables;
    this.#strings = strings;
  }

  get sizeBytes(): number {
    return this.ids.byteLength;
  }

  /** Content ids of the frames that are new. */
  addIds(): void {
    const { count } = this.#tables.frames;
    for (; this.#idCount < count; this.#idCount++) {
      if (this.#idCount * 2 >= this.ids.length) {
        const ids = new Uint32Array(this.ids.length * 2);
        ids.set(this.ids);
        this.ids = ids;
      }
      frameContentId(this.frame(this.#idCount), this.ids, this.#idCount * 2);
    }
  }

  frame(frame: number): Frame {
    const f = this.#tables.frames.data;
    const at = frame * FRAME.width;
    const fn = this.#tables.functions.data;
    const fnAt = f[at + FRAME.function]! * FUNCTION.width;
    const place = this.#tables.places.data;
    const placeAt = f[at + FRAME.place]! * PLACE.width;
    const address = this.#tables.addresses.data;
    const addressAt = f[at + FRAME.address]! * ADDRESS.width;
    const flags = f[at + FRAME.flags]!;
    return {
      functionName: this.#strings.text(fn[fnAt + FUNCTION.name]!),
      systemName: this.#strings.text(fn[fnAt + FUNCTION.system]!),
      fileName: this.#strings.text(fn[fnAt + FUNCTION.file]!),
      line: signed(f, at + FRAME.lineLow),
      column: signed(f, at + FRAME.columnLow),
      startLine: signed(fn, fnAt + FUNCTION.startLow),
      mappingFile: this.#strings.text(place[placeAt + PLACE.file]!),
      buildId: this.#strings.text(place[placeAt + PLACE.buildId]!),
      mappingStart: unsigned(address, addressAt + ADDRESS.start),
      mappingLimit: unsigned(address, addressAt + ADDRESS.limit),
      mappingOffset: unsigned(address, addressAt + ADDRESS.offset),
      address: unsigned(address, addressAt + ADDRESS.address),
      inlined: (flags & FRAME_INLINED) !== 0,
      folded: (flags & FRAME_FOLDED) !== 0,
      frameType: this.#strings.text(flags >>> FRAME_TYPE_SHIFT),
    };
  }
}

/** The 64-bit number whose low half is at `at`. */
function signed(ints: Int32Array, at: number): bigint {
  const low = ints[at]!;
  const high = ints[at + 1]!;
  // Nearly always: a small number is made from one half.
  if (high === low >> 31) return BigInt(low);
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

function unsigned(ints: Int32Array, at: number): bigint {
  return BigInt.asUintN(64, signed(ints, at));
}
