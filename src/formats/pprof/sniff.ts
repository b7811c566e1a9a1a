/**
 * What a body looks like that is not a pprof, for the message that tells its sender. A guess from the first bytes:
 * it never decides whether a body is taken.
 */

const HEAD_BYTES = 512;

/** How binary formats begin, in hex. */
const MAGIC: readonly (readonly [string, string])[] = [
  ['464c5200', 'a Java Flight Recorder file'],
  ['7f454c46', 'an ELF file'],
  ['504b0304', 'a zip file'],
  ['50455246494c4532', 'a perf.data file'],
  ['28b52ffd', 'a zstd file'],
  ['04224d18', 'an lz4 file'],
  ['425a68', 'a bzip2 file'],
  ['1f8b', 'gzip inside gzip'],
  ['50415231', 'a Parquet file'],
  ['4152524f5731', 'an Arrow file'],
];

/** Tried in order over the first bytes as Latin-1 text. */
const TEXT: readonly (readonly [RegExp, string])[] = [
  [/^\s*$/, 'nothing but blanks'],
  [/^\s*<(!doctype|html|head|body|\?xml|!--)/i, 'an HTML or XML page'],
  [/^\s*\{\s*"(nodes|head)"\s*:/, 'JSON of a V8 profile'],
  [/^\s*[[{]\s*["{[\]}]/, 'JSON'],
  [/^\s*heap profile:/, 'the legacy text format of heap profiles'],
  [/^\s*--- (heapz|growthz|heap|growth)/, 'the legacy text format of heap profiles'],
  [/^\s*--- ?(contention|mutex)/, 'the legacy text format of contention profiles'],
  [/^\s*--- ?(threadz|Thread )/, 'the legacy text format of thread profiles'],
  [/^\s*--- ?(symbol|profile)/, 'the legacy symbolized format'],
  [/^\w+ profile: total \d+/, "Go's text format (ask for it without debug=1)"],
  [/^goroutine \d+ \[/, "Go's goroutine dump (ask for it without debug=2)"],
  [/^# (HELP|TYPE) /, 'Prometheus metrics'],
  [/^(GET|POST|PUT|HTTP\/1\.[01]) /, 'an HTTP message'],
  [/^[^\r\n;]+(;[^\r\n;]+)+ \d+\r?(\n|$)/, 'folded stacks'],
];

/** A short noun phrase: `an HTML or XML page`, `text`, `unknown bytes 0a1b...`. */
export function describeBody(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'no bytes';
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES));
  const hex = head.subarray(0, 8).toString('hex');
  for (const [magic, name] of MAGIC) if (hex.startsWith(magic)) return name;
  const text = head.toString('latin1');
  for (const [looks, name] of TEXT) if (looks.test(text)) return name;
  if (isLegacyCpu(bytes)) return 'the legacy binary format of CPU profiles';
  if (isText(head)) return `text that begins ${JSON.stringify(text.slice(0, 24))}`;
  if (looksLikeOtlp(bytes)) return 'an OTLP profiles message';
  return `unknown bytes ${hex}`;
}

/** Words of 4 or 8 bytes in either order: 0, 3, version 0 or 1, period, 0. */
function isLegacyCpu(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const wordBytes of [4, 8]) {
    if (bytes.length < wordBytes * 5) continue;
    for (const littleEndian of [true, false]) {
      const word = (index: number): number =>
        wordBytes === 4
          ? view.getUint32(index * 4, littleEndian)
          : Number(view.getBigUint64(index * 8, littleEndian));
      if (word(0) === 0 && word(1) === 3 && word(2) <= 1 && word(3) > 0 && word(4) === 0)
        return true;
    }
  }
  return false;
}

function isText(head: Uint8Array): boolean {
  return head.every((b) => b >= 0x20 || b === 0x09 || b === 0x0a || b === 0x0d);
}

/**
 * ProfilesData: resource_profiles 1 and dictionary 2, messages whose first field is a message too. pprof's field 1
 * begins with a number, and its field 2 never has a field past 3.
 */
function looksLikeOtlp(bytes: Uint8Array): boolean {
  const outer = bytes[0];
  if (outer !== 0x0a && outer !== 0x12) return false;
  let at = 1;
  while (at < bytes.length && at < 11 && (bytes[at] as number) >= 0x80) at++;
  const inner = bytes[at + 1] ?? 0;
  return (inner & 7) === 2 && inner >= 0x0a && inner <= (outer === 0x0a ? 0x1a : 0x3a);
}
