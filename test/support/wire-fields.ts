/** Protobuf messages as lists of fields, for tests that reorder, damage or add to them. Slow and obvious. */

export interface WireField {
  readonly field: number;
  readonly wireType: number;
  /** The number of wire type 0; the content of the others, without length. */
  readonly value: bigint | Uint8Array;
}

export function varint(value: number | bigint): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
  return Uint8Array.from(out);
}

export function num(field: number, value: number | bigint): WireField {
  return { field, wireType: 0, value: BigInt.asUintN(64, BigInt(value)) };
}

export function len(field: number, ...parts: (WireField | Uint8Array | string)[]): WireField {
  const bytes = parts.map((part) =>
    typeof part === 'string'
      ? Buffer.from(part, 'utf8')
      : part instanceof Uint8Array
        ? part
        : encodeField(part),
  );
  return { field, wireType: 2, value: Uint8Array.from(Buffer.concat(bytes)) };
}

export function encodeField({ field, wireType, value }: WireField): Uint8Array {
  const tag = varint((BigInt(field) << 3n) | BigInt(wireType));
  if (typeof value === 'bigint') return Buffer.concat([tag, varint(value)]);
  return Buffer.concat(wireType === 2 ? [tag, varint(value.length), value] : [tag, value]);
}

export function encodeFields(fields: readonly WireField[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(fields.map(encodeField)));
}

export function decodeVarints(bytes: Uint8Array): bigint[] {
  const out: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    out.push(value);
    value = 0n;
    shift = 0n;
  }
  return out;
}

export function decodeFields(bytes: Uint8Array): WireField[] {
  const out: WireField[] = [];
  let at = 0;
  const next = (): bigint => {
    const start = at;
    while ((bytes[at++] ?? 0) >= 0x80);
    return decodeVarints(bytes.subarray(start, at))[0] ?? 0n;
  };
  while (at < bytes.length) {
    const tag = Number(next());
    const wireType = tag & 7;
    if (wireType === 0) out.push({ field: tag >>> 3, wireType, value: next() });
    else {
      const size = wireType === 2 ? Number(next()) : wireType === 1 ? 8 : 4;
      out.push({ field: tag >>> 3, wireType, value: bytes.slice(at, at + size) });
      at += size;
    }
  }
  return out;
}

/** The contents of the length-delimited fields of number `field`. */
export function bytesOf(fields: readonly WireField[], field: number): Uint8Array[] {
  return fields.flatMap((one) =>
    one.field === field && typeof one.value !== 'bigint' ? [one.value] : [],
  );
}
