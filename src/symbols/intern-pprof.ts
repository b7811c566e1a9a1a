/**
 * From a decoded pprof to keys. For each of the profile's own tables an array says which process-wide entry an index
 * is, so that each string, function and location is looked up once a profile, and a sample costs one look-up of its
 * stack.
 */
import type { DecodedPprof } from '../formats/pprof/decoded.js';
import {
  ADDRESS,
  FRAME,
  FRAME_FOLDED,
  FRAME_INLINED,
  FrameInterner,
  FUNCTION,
  NOTHING,
  PLACE,
} from './intern-frames.js';
import { LABEL, LabelSetInterner } from './intern-label-sets.js';
import { StackInterner } from './intern-stacks.js';
import { StringTable } from './intern-strings.js';

const NONE = -1;

/** The two halves of each element of a 64-bit array. */
function halves(wide: BigInt64Array | BigUint64Array): Int32Array {
  return new Int32Array(wide.buffer, wide.byteOffset, wide.length * 2);
}

function sized(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  return array.length >= length ? array : new Int32Array(Math.max(length, array.length * 2));
}

/** The 64-bit columns of a decoded pprof as halves: views cost more than what is read through them, so made once. */
interface Halves {
  readonly line: Int32Array;
  readonly column: Int32Array;
  readonly startLine: Int32Array;
  readonly address: Int32Array;
  readonly mappingStart: Int32Array;
  readonly mappingLimit: Int32Array;
  readonly mappingOffset: Int32Array;
  readonly labelNumber: Int32Array;
}

function halvesOf(pprof: DecodedPprof): Halves {
  return {
    line: halves(pprof.lineLine),
    column: halves(pprof.lineColumn),
    startLine: halves(pprof.functionStartLine),
    address: halves(pprof.locationAddress),
    mappingStart: halves(pprof.mappingStart),
    mappingLimit: halves(pprof.mappingLimit),
    mappingOffset: halves(pprof.mappingOffset),
    labelNumber: halves(pprof.labelNumber),
  };
}

/** All symbols of the process. Dropped as a whole and made anew when it has grown too large. */
export class Interner {
  readonly strings = new StringTable();
  readonly frames = new FrameInterner(this.strings);
  readonly stacks = new StackInterner();
  readonly labelSets = new LabelSetInterner(this.strings);
  /** Process-wide numbers by the current profile's indexes. */
  #stringOf = new Int32Array(4096);
  #functionOf = new Int32Array(1024);
  #placeOf = new Int32Array(64);
  #locationOf = new Int32Array(1024);
  #keyOf = new Int32Array(1024);

  get sizeBytes(): number {
    return (
      this.strings.sizeBytes +
      this.frames.sizeBytes +
      this.stacks.sizeBytes +
      this.labelSets.sizeBytes
    );
  }

  get keyCount(): number {
    return this.stacks.keys.count;
  }

  /** Key of each sample; the first `sampleCount` elements count, until the next call. */
  internSamples(pprof: DecodedPprof): Int32Array {
    const wide = halvesOf(pprof);
    this.#internTables(pprof, wide);
    const { sampleCount, sampleFirstLocation, sampleLocation, sampleFirstLabel } = pprof;
    this.#keyOf = sized(this.#keyOf, sampleCount);
    const keyOf = this.#keyOf;
    const { stacks } = this;
    const locationOf = this.#locationOf;
    const hasLabels = sampleFirstLabel[sampleCount]! > 0;
    for (let s = 0; s < sampleCount; s++) {
      const labelSet =
        hasLabels && sampleFirstLabel[s] !== sampleFirstLabel[s + 1]
          ? this.#labelSet(pprof, s, wide)
          : 0;
      const first = sampleFirstLocation[s]!;
      const end = sampleFirstLocation[s + 1]!;
      const hash = stacks.gather(sampleLocation, first, end, locationOf);
      keyOf[s] = stacks.key(hash, end - first, labelSet);
    }
    return keyOf;
  }

  #internTables(pprof: DecodedPprof, wide: Halves): void {
    this.#stringOf = sized(this.#stringOf, pprof.stringCount);
    this.#stringOf.fill(NONE, 0, pprof.stringCount);
    this.#internFunctions(pprof, wide);
    this.#internPlaces(pprof);
    this.#internLocations(pprof, wide);
  }

  /** Process-wide number of the current profile's string `index`. */
  #string(pprof: DecodedPprof, index: number): number {
    let string = this.#stringOf[index]!;
    if (string === NONE) {
      const { bytes, view, stringStart, stringEnd } = pprof;
      string = this.strings.intern(bytes, view, stringStart[index]!, stringEnd[index]!);
      this.#stringOf[index] = string;
    }
    return string;
  }

  #internFunctions(pprof: DecodedPprof, wide: Halves): void {
    const { functionCount, functionName, functionSystemName, functionFile } = pprof;
    this.#functionOf = sized(this.#functionOf, functionCount);
    const { functions } = this.frames;
    const { scratch } = functions;
    const { startLine } = wide;
    for (let f = 0; f < functionCount; f++) {
      scratch[FUNCTION.name] = this.#string(pprof, functionName[f]!);
      scratch[FUNCTION.system] = this.#string(pprof, functionSystemName[f]!);
      scratch[FUNCTION.file] = this.#string(pprof, functionFile[f]!);
      scratch[FUNCTION.startLow] = startLine[f * 2]!;
      scratch[FUNCTION.startHigh] = startLine[f * 2 + 1]!;
      this.#functionOf[f] = functions.intern();
    }
  }

  #internPlaces(pprof: DecodedPprof): void {
    const { mappingCount, mappingFile, mappingBuildId } = pprof;
    this.#placeOf = sized(this.#placeOf, mappingCount);
    const { places } = this.frames;
    for (let m = 0; m < mappingCount; m++) {
      places.scratch[PLACE.file] = this.#string(pprof, mappingFile[m]!);
      places.scratch[PLACE.buildId] = this.#string(pprof, mappingBuildId[m]!);
      this.#placeOf[m] = places.intern();
    }
  }

  #internLocations(pprof: DecodedPprof, wide: Halves): void {
    const { locationCount, locationMapping, locationFolded, locationFirstLine, lineFunction } =
      pprof;
    this.#locationOf = sized(this.#locationOf, locationCount);
    const { line, column } = wide;
    const { frames, stacks } = this;
    const { scratch } = frames.frames;
    for (let l = 0; l < locationCount; l++) {
      const mapping = locationMapping[l]!;
      scratch[FRAME.place] = mapping < 0 ? NOTHING : this.#placeOf[mapping]!;
      const folded = locationFolded[l] === 0 ? 0 : FRAME_FOLDED;
      const innermost = locationFirstLine[l]!;
      const length = locationFirstLine[l + 1]! - innermost;
      if (length === 0) {
        this.#locationOf[l] = this.#frameWithoutLine(this.#address(pprof, l, wide), folded);
        continue;
      }
      if (length > 1) stacks.inlinedLocations.reserve(length);
      let frame = 0;
      // The last line is the outermost function: the caller of those before it.
      for (let i = 0; i < length; i++) {
        const at = innermost + length - 1 - i;
        const fn = lineFunction[at]!;
        const symbol = fn < 0 ? NOTHING : this.#functionOf[fn]!;
        scratch[FRAME.function] = symbol;
        scratch[FRAME.lineLow] = line[at * 2]!;
        scratch[FRAME.lineHigh] = line[at * 2 + 1]!;
        scratch[FRAME.columnLow] = column[at * 2]!;
        scratch[FRAME.columnHigh] = column[at * 2 + 1]!;
        scratch[FRAME.address] = frames.isSymbolized(symbol)
          ? NOTHING
          : this.#address(pprof, l, wide);
        scratch[FRAME.flags] = i === 0 ? folded : folded | FRAME_INLINED;
        frame = frames.intern();
        if (length > 1) stacks.inlinedLocations.scratch[i] = frame;
      }
      this.#locationOf[l] = length === 1 ? frame : stacks.inlinedLocation(length);
    }
  }

  #frameWithoutLine(address: number, folded: number): number {
    const { scratch } = this.frames.frames;
    scratch[FRAME.function] = NOTHING;
    scratch[FRAME.lineLow] = 0;
    scratch[FRAME.lineHigh] = 0;
    scratch[FRAME.columnLow] = 0;
    scratch[FRAME.columnHigh] = 0;
    scratch[FRAME.address] = address;
    scratch[FRAME.flags] = folded;
    return this.frames.intern();
  }

  #address(pprof: DecodedPprof, location: number, wide: Halves): number {
    const { scratch } = this.frames.addresses;
    scratch.fill(0);
    const mapping = pprof.locationMapping[location]!;
    if (mapping >= 0) {
      copyWide(wide.mappingStart, mapping, scratch, ADDRESS.start);
      copyWide(wide.mappingLimit, mapping, scratch, ADDRESS.limit);
      copyWide(wide.mappingOffset, mapping, scratch, ADDRESS.offset);
    }
    copyWide(wide.address, location, scratch, ADDRESS.address);
    return this.frames.addresses.intern();
  }

  #labelSet(pprof: DecodedPprof, sample: number, wide: Halves): number {
    const { labelKey, labelString, labelUnit, sampleFirstLabel } = pprof;
    const first = sampleFirstLabel[sample]!;
    const count = sampleFirstLabel[sample + 1]! - first;
    const scratch = this.labelSets.scratch(count);
    const number = wide.labelNumber;
    for (let i = 0; i < count; i++) {
      const label = first + i;
      const at = i * LABEL.width;
      const string = labelString[label]!;
      scratch[at + LABEL.key] = this.#string(pprof, labelKey[label]!);
      scratch[at + LABEL.string] = string < 0 ? NONE : this.#string(pprof, string);
      scratch[at + LABEL.unit] = string < 0 ? this.#string(pprof, labelUnit[label]!) : 0;
      scratch[at + LABEL.low] = string < 0 ? number[label * 2]! : 0;
      scratch[at + LABEL.high] = string < 0 ? number[label * 2 + 1]! : 0;
    }
    return this.labelSets.intern(count);
  }
}

/** Copies element `index` of a column in halves to `target[at]` and `target[at + 1]`. */
function copyWide(source: Int32Array, index: number, target: Int32Array, at: number): void {
  target[at] = source[index * 2]!;
  target[at + 1] = source[index * 2 + 1]!;
}
