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
/** A string that will be looked up with the others. */
const WANTED = -2;

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
  #labelSetOf = new Int32Array(1024);
  #frameOf = new Int32Array(1024);
  #wanted = new Int32Array(4096);
  /** Records to look up. */
  #rows = new Int32Array(8192);

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
    this.#internStrings(pprof);
    this.#internFunctions(pprof, wide);
    this.#internPlaces(pprof);
    this.#internLocations(pprof, wide);
    const { sampleCount, sampleFirstLocation, sampleLocation } = pprof;
    this.#keyOf = sized(this.#keyOf, sampleCount);
    const samples = {
      count: sampleCount,
      firstLocation: sampleFirstLocation,
      items: sampleLocation,
      location: this.#locationOf,
      labelSet: this.#internLabelSets(pprof, wide),
    };
    this.stacks.internAll(samples, this.#keyOf);
    return this.#keyOf;
  }

  /** All strings that functions and mappings use; those of labels follow when they are met. */
  #internStrings(pprof: DecodedPprof): void {
    const { stringCount, functionCount, mappingCount } = pprof;
    this.#stringOf = sized(this.#stringOf, stringCount);
    this.#wanted = sized(this.#wanted, stringCount);
    const stringOf = this.#stringOf;
    const wanted = this.#wanted;
    stringOf.fill(NONE, 0, stringCount);
    let count = 0;
    const { functionName, functionSystemName, functionFile } = pprof;
    for (let f = 0; f < functionCount; f++) {
      const name = functionName[f]!;
      const system = functionSystemName[f]!;
      const file = functionFile[f]!;
      if (stringOf[name] === NONE) wanted[count++] = name;
      stringOf[name] = WANTED;
      if (stringOf[system] === NONE) wanted[count++] = system;
      stringOf[system] = WANTED;
      if (stringOf[file] === NONE) wanted[count++] = file;
      stringOf[file] = WANTED;
    }
    for (let m = 0; m < mappingCount; m++) {
      for (const index of [pprof.mappingFile[m]!, pprof.mappingBuildId[m]!]) {
        if (stringOf[index] === NONE) wanted[count++] = index;
        stringOf[index] = WANTED;
      }
    }
    this.strings.internAll(pprof, wanted, count, stringOf);
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
    this.#rows = sized(this.#rows, functionCount * FUNCTION.width);
    const rows = this.#rows;
    const stringOf = this.#stringOf;
    const { startLine } = wide;
    for (let f = 0, at = 0; f < functionCount; f++, at += FUNCTION.width) {
      rows[at + FUNCTION.name] = stringOf[functionName[f]!]!;
      rows[at + FUNCTION.system] = stringOf[functionSystemName[f]!]!;
      rows[at + FUNCTION.file] = stringOf[functionFile[f]!]!;
      rows[at + FUNCTION.startLow] = startLine[f * 2]!;
      rows[at + FUNCTION.startHigh] = startLine[f * 2 + 1]!;
    }
    this.frames.functions.internAll(rows, functionCount, this.#functionOf);
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
    const { locationCount, locationFirstLine, lineCount } = pprof;
    // One frame for each line, and one for each location without any.
    const countMax = lineCount + locationCount;
    this.#locationOf = sized(this.#locationOf, locationCount);
    this.#rows = sized(this.#rows, countMax * FRAME.width);
    this.#frameOf = sized(this.#frameOf, countMax);
    const count = this.#frameRows(pprof, wide);
    this.frames.internAll(this.#rows, count, this.#frameOf);
    const frameOf = this.#frameOf;
    const locationOf = this.#locationOf;
    const { stacks } = this;
    let next = 0;
    for (let l = 0; l < locationCount; l++) {
      const length = locationFirstLine[l + 1]! - locationFirstLine[l]!;
      if (length <= 1) {
        locationOf[l] = frameOf[next++]!;
        continue;
      }
      stacks.inlinedLocations.reserve(length);
      const { scratch } = stacks.inlinedLocations;
      for (let i = 0; i < length; i++) scratch[i] = frameOf[next++]!;
      locationOf[l] = stacks.inlinedLocation(length);
    }
  }

  /** Writes the frames of all locations to `rows`, each location's root first; returns how many there are. */
  #frameRows(pprof: DecodedPprof, wide: Halves): number {
    const { locationCount, locationMapping, locationFolded, locationFirstLine, lineFunction } =
      pprof;
    const { line, column } = wide;
    const { frames } = this;
    const rows = this.#rows;
    let at = 0;
    for (let l = 0; l < locationCount; l++) {
      const mapping = locationMapping[l]!;
      const place = mapping < 0 ? NOTHING : this.#placeOf[mapping]!;
      const folded = locationFolded[l] === 0 ? 0 : FRAME_FOLDED;
      const innermost = locationFirstLine[l]!;
      const outermost = locationFirstLine[l + 1]! - 1;
      if (outermost < innermost) {
        rows.fill(0, at, at + FRAME.width);
        rows[at + FRAME.place] = place;
        rows[at + FRAME.address] = this.#address(pprof, l, wide);
        rows[at + FRAME.flags] = folded;
        at += FRAME.width;
      }
      // The last line is the outermost function: the caller of those before it.
      for (let i = outermost; i >= innermost; i--, at += FRAME.width) {
        const fn = this.#functionOf[lineFunction[i]!]!;
        rows[at + FRAME.function] = fn;
        rows[at + FRAME.lineLow] = line[i * 2]!;
        rows[at + FRAME.lineHigh] = line[i * 2 + 1]!;
        rows[at + FRAME.columnLow] = column[i * 2]!;
        rows[at + FRAME.columnHigh] = column[i * 2 + 1]!;
        rows[at + FRAME.place] = place;
        rows[at + FRAME.address] = frames.isSymbolized(fn)
          ? NOTHING
          : this.#address(pprof, l, wide);
        rows[at + FRAME.flags] = i === outermost ? folded : folded | FRAME_INLINED;
      }
    }
    return at / FRAME.width;
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

  /** Label set of each sample, or undefined when no sample has a label. */
  #internLabelSets(pprof: DecodedPprof, wide: Halves): Int32Array | undefined {
    const { sampleCount, sampleFirstLabel } = pprof;
    if (sampleFirstLabel[sampleCount] === 0) return undefined;
    this.#labelSetOf = sized(this.#labelSetOf, sampleCount);
    const labelSetOf = this.#labelSetOf;
    for (let s = 0; s < sampleCount; s++) {
      const isEmpty = sampleFirstLabel[s] === sampleFirstLabel[s + 1];
      labelSetOf[s] = isEmpty ? 0 : this.#labelSet(pprof, s, wide);
    }
    return labelSetOf;
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
