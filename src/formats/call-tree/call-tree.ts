/**
 * Two forms that Pyroscope's older agents send, of one layout: nodes in depth-first order from a root, each a length and
 * as many bytes, a value, and the number of its children, all numbers as varints.
 *
 * In a *tree* a node's bytes are the name of a frame. In a *trie* they are a piece of a folded stack (`main;ru` above
 * `n;x` and `n;y`), cut anywhere, also inside a character; a stack with a value ends at its node.
 */
import { invalid, type StoreError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import { NO_LABELS, ROOT, type StackProfile } from '../stacks/stack-profile.js';

export type CallTreeKind = 'trie' | 'tree';

/** Where a node hangs: the frames that are complete, and bytes (as Latin-1) of one that is not. */
interface Place {
  readonly node: number;
  readonly pending: string;
}

interface Level {
  readonly place: Place;
  childrenLeft: number;
}

function broken(got: string, want: string): StoreError {
  return invalid('PS_CALL_TREE', `cannot read call tree: got ${got}; want ${want}`);
}

/** Characters that are none are shown as such: no value is lost for a name. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const VARINT_BYTES_MAX = 10;

class CallTreeReader {
  readonly #bytes: Buffer;
  readonly #profile: StackProfile;
  #at = 0;
  /** Bytes of names that were decoded: a trie may repeat a long piece below each of its nodes. */
  #decodedBytes = 0;

  constructor(bytes: Uint8Array, profile: StackProfile) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#profile = profile;
  }

  read(kind: CallTreeKind): void {
    const levels: Level[] = [{ place: { node: ROOT, pending: '' }, childrenLeft: 1 }];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      if (level.childrenLeft === 0) {
        levels.pop();
        continue;
      }
      level.childrenLeft--;
      const piece = this.#piece();
      const value = this.#varint();
      const place =
        kind === 'tree' ? this.#frame(level.place, piece) : this.#grow(level.place, piece);
      const childrenLeft = Number(this.#varint());
      if (childrenLeft > this.#bytes.length - this.#at) {
        throw broken(`${childrenLeft} children in ${this.#bytes.length - this.#at} bytes`, 'fewer');
      }
      if (value > 0n) {
        const node = kind === 'tree' ? place.node : this.#complete(place.node, place.pending);
        this.#profile.add(node, NO_LABELS, [value]);
      }
      if (levels.length > LIMITS.callTreeDepthMax) {
        throw broken(`more than ${LIMITS.callTreeDepthMax} levels`, 'at most that');
      }
      levels.push({ place, childrenLeft });
    }
    if (this.#at !== this.#bytes.length) {
      throw broken(`${this.#bytes.length - this.#at} bytes after the last node`, 'none');
    }
  }

  #frame(place: Place, piece: string): Place {
    return { node: this.#complete(place.node, piece), pending: '' };
  }

  #grow({ node, pending }: Place, piece: string): Place {
    const pieces = piece.split(';', LIMITS.stackDepthMax + 2);
    let at = node;
    let rest = pending + (pieces[0] ?? '');
    for (const next of pieces.slice(1)) {
      at = this.#complete(at, rest);
      rest = next;
    }
    if (rest.length > LIMITS.stringBytesMax)
      throw broken('a long name', `${LIMITS.stringBytesMax} bytes`);
    return { node: at, pending: rest };
  }

  /** The node of the frame that `latin1` names, below `node`; that itself for an empty name. */
  #complete(node: number, latin1: string): number {
    if (latin1 === '') return node;
    this.#decodedBytes += latin1.length;
    if (
      latin1.length > LIMITS.stringBytesMax ||
      this.#decodedBytes > LIMITS.convertedTextBytesMax
    ) {
      throw broken(`${this.#decodedBytes} bytes of names`, `${LIMITS.convertedTextBytesMax}`);
    }
    const name = utf8.decode(Buffer.from(latin1, 'latin1'));
    return this.#profile.child(node, this.#profile.named(name));
  }

  #piece(): string {
    const length = Number(this.#varint());
    if (length > this.#bytes.length - this.#at)
      throw broken('an end inside a name', 'a whole tree');
    const start = this.#at;
    this.#at += length;
    return this.#bytes.toString('latin1', start, this.#at);
  }

  #varint(): bigint {
    let low = 0;
    let scale = 1;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw broken('an end inside a number', 'a whole tree');
      // The last two bytes of a 64-bit number do not fit below 2^53.
      if (i >= 7 && byte !== 0) return this.#wide(this.#at - i - 1);
      low += (byte & 0x7f) * scale;
      if (byte < 0x80) return BigInt(low);
      scale *= 128;
    }
    throw broken('a number of more than 10 bytes', 'one of 64 bits');
  }

  #wide(start: number): bigint {
    let value = 0n;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.#bytes[start + i];
      if (byte === undefined) throw broken('an end inside a number', 'a whole tree');
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        this.#at = start + i + 1;
        return BigInt.asUintN(64, value);
      }
    }
    throw broken('a number of more than 10 bytes', 'one of 64 bits');
  }
}

/** Adds the stacks of `bytes` to `profile`, one value each. Throws `invalid`: PS_CALL_TREE, PS_STACKS_TOO_LARGE. */
export function readCallTree(bytes: Uint8Array, kind: CallTreeKind, profile: StackProfile): void {
  new CallTreeReader(bytes, profile).read(kind);
}
