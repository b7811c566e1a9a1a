/** The element that `k - 1` others may precede in descending order (1 <= k <= length): Hoare's quickselect. */
export function kthGreatest(values: Float64Array, k: number): number {
  const v = values.slice();
  const wanted = k - 1;
  let low = 0;
  let high = v.length - 1;
  while (low < high) {
    // The middle of three, so that neither sorted nor equal values make it slow.
    const a = v[low]!;
    const b = v[(low + high) >> 1]!;
    const c = v[high]!;
    const pivot = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    let i = low;
    let j = high;
    while (i <= j) {
      while (v[i]! > pivot) i++;
      while (v[j]! < pivot) j--;
      if (i > j) break;
      const value = v[i]!;
      v[i++] = v[j]!;
      v[j--] = value;
    }
    if (wanted <= j) high = j;
    else if (wanted >= i) low = i;
    else return pivot;
  }
  return v[wanted]!;
}
