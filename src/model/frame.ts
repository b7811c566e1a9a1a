/**
 * One function at one place: the element of a stacktrace. Strings are empty and numbers 0 where the sender said
 * nothing. 64-bit numbers are `bigint` here because frames are few; rows of samples never are.
 *
 * Address and the mapping's range are kept only for a frame without a function (not symbolized): elsewhere they
 * would make equal code in two processes two different frames. That is the documented normalisation of a profile.
 */
export interface Frame {
  readonly functionName: string;
  /** The name before demangling, as the compiler made it. */
  readonly systemName: string;
  readonly fileName: string;
  readonly line: bigint;
  readonly column: bigint;
  /** First line of the function in its file. */
  readonly startLine: bigint;
  readonly mappingFile: string;
  readonly buildId: string;
  /** [mappingStart, mappingLimit) and offset: 0 unless the frame is not symbolized. */
  readonly mappingStart: bigint;
  readonly mappingLimit: bigint;
  readonly mappingOffset: bigint;
  /** 0 unless the frame is not symbolized. */
  readonly address: bigint;
  /** True for each frame of a location but its outermost: the compiler put it into its caller. */
  readonly inlined: boolean;
  /** pprof's `is_folded`: several places were merged into this one before it was sent. */
  readonly folded: boolean;
  /** OTLP's `profile.frame.type`: `go`, `kernel`, `jvm`, ...; empty for pprof. */
  readonly frameType: string;
}

export const EMPTY_FRAME: Frame = {
  functionName: '',
  systemName: '',
  fileName: '',
  line: 0n,
  column: 0n,
  startLine: 0n,
  mappingFile: '',
  buildId: '',
  mappingStart: 0n,
  mappingLimit: 0n,
  mappingOffset: 0n,
  address: 0n,
  inlined: false,
  folded: false,
  frameType: '',
};

/** Equality of content, the check behind every content id. */
export function framesEqual(a: Frame, b: Frame): boolean {
  return (
    a.functionName === b.functionName &&
    a.line === b.line &&
    a.fileName === b.fileName &&
    a.systemName === b.systemName &&
    a.column === b.column &&
    a.startLine === b.startLine &&
    a.mappingFile === b.mappingFile &&
    a.buildId === b.buildId &&
    a.mappingStart === b.mappingStart &&
    a.mappingLimit === b.mappingLimit &&
    a.mappingOffset === b.mappingOffset &&
    a.address === b.address &&
    a.inlined === b.inlined &&
    a.folded === b.folded &&
    a.frameType === b.frameType
  );
}

/** What a person reads for a frame: its function, else its system name, else `mapping+0xaddress`, else `[unknown]`. */
export function frameName(frame: Frame): string {
  if (frame.functionName !== '') return frame.functionName;
  if (frame.systemName !== '') return frame.systemName;
  if (frame.address !== 0n) {
    const address = `0x${frame.address.toString(16)}`;
    return frame.mappingFile === '' ? address : `${frame.mappingFile}+${address}`;
  }
  return '[unknown]';
}
