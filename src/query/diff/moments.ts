/**
 * How much the share of each function varies from profile to profile. Samples of one profile are not independent: what ran
 * together was seen together. So a profile is one observation: of the values x of a function and T of all, in it.
 */
import { frameName } from '../../model/frame.js';
import type { SymbolSource } from '../../symbols/source.js';
import type { Observer } from './observer.js';
import { OpenProfile } from './open-profile.js';
import type { ShareEstimate } from './statistics.js';

/** Functions of all sides of a comparison by number. */
export class FunctionNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #names: { readonly functionName: string; readonly fileName: string }[] = [];

  of(functionName: string, fileName: string): number {
    const key = `${functionName}\0${fileName}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.#names.length);
    return this.#names.push({ functionName, fileName }) - 1;
  }

  nameOf(number: number): { readonly functionName: string; readonly fileName: string } {
    return this.#names[number] ?? { functionName: '', fileName: '' };
  }
}

/** The functions of the stack of each key, each once, the leaf's first; made when a key is first asked for. */
export class StackFunctions {
  readonly #symbols: SymbolSource;
  readonly #numbers: FunctionNumbers;
  readonly #ofFrame: Int32Array;
  readonly #ofKey: (readonly number[] | undefined)[] = [];

  constructor(symbols: SymbolSource, numbers: FunctionNumbers) {
    this.#symbols = symbols;
    this.#numbers = numbers;
    this.#ofFrame = new Int32Array(symbols.frames.count).fill(-1);
  }

  of(key: number): readonly number[] {
    const known = this.#ofKey[key];
    if (known !== undefined) return known;
    const { keys, nodes } = this.#symbols;
    const own = new Set<number>();
    for (let n = keys.node[key]!; n > 0; n = nodes.parent[n]!)
      own.add(this.#function(nodes.frame[n]!));
    const made = [...own];
    this.#ofKey[key] = made;
    return made;
  }

  #function(f: number): number {
    if (this.#ofFrame[f]! < 0) {
      const frame = this.#symbols.frames.frame(f);
      this.#ofFrame[f] = this.#numbers.of(frameName(frame), frame.fileName);
    }
    return this.#ofFrame[f]!;
  }
}

/** Sums over profiles of x, x squared and x times T, by function. */
class Sums {
  readonly x: number[] = [];
  readonly squares: number[] = [];
  readonly products: number[] = [];
  readonly profiles: number[] = [];

  add(f: number, x: number, total: number): void {
    this.x[f] = (this.x[f] ?? 0) + x;
    this.squares[f] = (this.squares[f] ?? 0) + x * x;
    this.products[f] = (this.products[f] ?? 0) + x * total;
    this.profiles[f] = (this.profiles[f] ?? 0) + 1;
  }
}

/** Of one side of a comparison. Doubles: these are estimates, what is reported as a sum is exact and comes from elsewhere. */
export class Moments implements Observer {
  readonly #self = new Sums();
  readonly #total = new Sums();
  readonly #samples: number[] = [];
  #profiles = 0;
  #sum = 0;
  #squares = 0;
  readonly #open = new OpenProfile();

  add(functions: readonly number[], value: number): void {
    this.#open.add(functions, value);
    for (const f of functions) this.#samples[f] = (this.#samples[f] ?? 0) + 1;
  }

  endProfile(): void {
    const { self, total, sum } = this.#open;
    // A profile of nothing that counts says nothing about shares: it must not pass for one more observation.
    if (sum === 0) {
      this.#open.clear();
      return;
    }
    for (const [f, x] of self) this.#self.add(f, x, sum);
    for (const [f, x] of total) this.#total.add(f, x, sum);
    this.#profiles++;
    this.#sum += sum;
    this.#squares += sum * sum;
    this.#open.clear();
  }

  /** Profiles that were looked at and have a value that counts. */
  get profiles(): number {
    return this.#profiles;
  }

  /** Of those, how many have the function on a stack, and how many samples of theirs do. */
  countsOf(f: number): { readonly profiles: number; readonly samples: number } {
    return { profiles: this.#total.profiles[f] ?? 0, samples: this.#samples[f] ?? 0 };
  }

  /**
   * The share of a function in all of the profiles that were looked at: the ratio of two sums, whose variance is that of the
   * residuals x - share * T by the delta method. What was not looked at makes it no surer.
   */
  estimate(f: number, kind: 'self' | 'total'): ShareEstimate {
    const sums = kind === 'self' ? this.#self : this.#total;
    const freedom = this.#profiles - 1;
    if (this.#sum === 0 || freedom < 1) return { share: 0, variance: 0, freedom: 0 };
    const share = (sums.x[f] ?? 0) / this.#sum;
    const residuals =
      (sums.squares[f] ?? 0) - 2 * share * (sums.products[f] ?? 0) + share * share * this.#squares;
    const mean = this.#sum / this.#profiles;
    // Rounding can leave a little less than nothing.
    const variance = Math.max(0, residuals) / freedom / (this.#profiles * mean * mean);
    return { share, variance, freedom };
  }
}
