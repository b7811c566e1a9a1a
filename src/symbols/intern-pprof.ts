/**
 * From a decoded pprof to keys: the kernel recognises what is known; texts, content ids and label sets are made here when they
 * are new.
 */
import type { DecodedPprof } from '../formats/pprof/decoded.js';
import { InternedFrames } from './intern-frames.js';
import { LabelSetInterner } from './intern-label-sets.js';
import { StringTexts } from './intern-strings.js';
import { SymbolsKernel } from './kernel.js';

/** All symbols of the process. Dropped as a whole and made anew when it has grown too large. */
export class Interner {
  readonly tables = new SymbolsKernel();
  readonly strings = new StringTexts(this.tables);
  readonly frames = new InternedFrames(this.tables, this.strings);
  readonly labelSets = new LabelSetInterner(this.tables, this.strings);

  get sizeBytes(): number {
    const { strings, frames, labelSets } = this;
    return this.tables.sizeBytes + strings.sizeBytes + frames.sizeBytes + labelSets.sizeBytes;
  }

  get keyCount(): number {
    return this.tables.keyNodes.count;
  }

  /** Key of each sample; the first `sampleCount` elements count, until the next call. Throws as `SymbolsKernel`. */
  internSamples(pprof: DecodedPprof): Int32Array {
    this.tables.internSymbols(pprof);
    this.frames.addIds();
    this.labelSets.addSets();
    return this.tables.internStacks(pprof.sampleCount);
  }
}
