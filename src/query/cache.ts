/**
 * Decoded parts of immutable blocks, least recently used first out, bounded by their estimated size. Loads of one part
 * that overlap share one read. Keys begin with the tenant (I7).
 */
export interface Sized<T> {
  readonly value: T;
  readonly sizeBytes: number;
}

interface Entry {
  readonly value: Promise<unknown>;
  sizeBytes: number;
}

export class WeightedCache {
  readonly bytesMax: number;
  /** In order of use: the first is evicted first. */
  readonly #entries = new Map<string, Entry>();
  #sizeBytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The cached value, or what `load` gives. A failed load is not kept. The key must determine the type. */
  get<T>(key: string, load: () => Promise<Sized<T>>): Promise<T> {
    const known = this.#use(key);
    if (known !== undefined) return known.value as Promise<T>;
    const loading = load();
    const entry: Entry = { value: loading.then((sized) => sized.value), sizeBytes: 0 };
    this.#entries.set(key, entry);
    return loading.then(
      (sized) => {
        this.#weigh(key, entry, sized.sizeBytes);
        return sized.value;
      },
      (error: unknown) => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
        // The stored promise has the same fate; whoever shares it sees it.
        entry.value.catch(() => undefined);
        throw error;
      },
    );
  }

  /** The cached value if it is there, without loading. */
  async peek<T>(key: string): Promise<T | undefined> {
    return (await this.#use(key)?.value) as T | undefined;
  }

  put<T>(key: string, sized: Sized<T>): void {
    this.#drop(key);
    const entry: Entry = { value: Promise.resolve(sized.value), sizeBytes: 0 };
    this.#entries.set(key, entry);
    this.#weigh(key, entry, sized.sizeBytes);
  }

  #use(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #weigh(key: string, entry: Entry, sizeBytes: number): void {
    if (this.#entries.get(key) !== entry) return;
    // What fits with nothing else must not cost all else.
    if (sizeBytes > this.bytesMax) {
      this.#entries.delete(key);
      return;
    }
    entry.sizeBytes = sizeBytes;
    this.#sizeBytes += sizeBytes;
    for (const [oldest, old] of this.#entries) {
      if (this.#sizeBytes <= this.bytesMax) return;
      // What is still loading weighs nothing yet.
      if (old.sizeBytes > 0) this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#sizeBytes -= entry.sizeBytes;
  }
}
