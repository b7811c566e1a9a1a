/** Values of the functions of one profile while its samples come. */
export class OpenProfile {
  /** By number of the function: of stacks that it is the leaf of, and of all that it is on. */
  readonly self = new Map<number, number>();
  readonly total = new Map<number, number>();
  sum = 0;

  /** `functions` are those of a sample's stack, each once, the leaf's first. */
  add(functions: readonly number[], value: number): void {
    this.sum += value;
    const [leaf] = functions;
    if (leaf !== undefined) addTo(this.self, leaf, value);
    for (const f of functions) addTo(this.total, f, value);
  }

  clear(): void {
    this.self.clear();
    this.total.clear();
    this.sum = 0;
  }
}

export function addTo<K>(sums: Map<K, number>, key: K, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}
