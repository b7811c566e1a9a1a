/** Tries, trees and speedscope files, against writers that are slow and obvious. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../../src/base/errors.js';
import { readCallTree } from '../../../src/formats/call-tree/call-tree.js';
import { LIMITS } from '../../../src/base/limits.js';
import { readFolded } from '../../../src/formats/folded/folded.js';
import { readSpeedscope } from '../../../src/formats/speedscope/speedscope.js';
import { StackProfile } from '../../../src/formats/stacks/stack-profile.js';
import { readPprof } from '../../support/read-pprof.js';
import { varint } from '../../support/wire-fields.js';

const FIXTURES = join(import.meta.dirname, '../../../../shared/fixtures/text');

/** Folded stack to value. */
function stacksOf(profile: StackProfile): Map<string, bigint> {
  const rows = readPprof(profile.toPprof({ sampleTypes: [{ type: 'a', unit: 'b' }] })).rows(0);
  return new Map(
    Array.from(rows, ([key, value]) => {
      const [stack] = JSON.parse(key) as [string[]];
      return [stack.map((frame) => frame.split('|')[0]).join(';'), value];
    }),
  );
}

interface Node {
  readonly piece: Buffer;
  value: bigint;
  readonly children: Node[];
}

function serialized(node: Node): Buffer {
  return Buffer.concat([
    ...[varint(node.piece.length), node.piece, varint(node.value), varint(node.children.length)],
    ...node.children.map(serialized),
  ]);
}

/** A trie that cuts stacks after every `step` bytes, also inside characters. */
function trieOf(stacks: ReadonlyMap<string, bigint>, step: number): Buffer {
  const root: Node = { piece: Buffer.alloc(0), value: 0n, children: [] };
  for (const [stack, value] of stacks) {
    const bytes = Buffer.from(stack);
    let node = root;
    for (let at = 0; at < bytes.length; at += step) {
      const piece = bytes.subarray(at, at + step);
      let child = node.children.find((c) => c.piece.equals(piece));
      if (child === undefined) {
        child = { piece, value: 0n, children: [] };
        node.children.push(child);
      }
      node = child;
    }
    node.value += value;
  }
  return serialized(root);
}

function treeOf(stacks: ReadonlyMap<string, bigint>): Buffer {
  const root: Node = { piece: Buffer.alloc(0), value: 0n, children: [] };
  for (const [stack, value] of stacks) {
    let node = root;
    for (const name of stack.split(';')) {
      let child = node.children.find((c) => c.piece.toString() === name);
      if (child === undefined) {
        child = { piece: Buffer.from(name), value: 0n, children: [] };
        node.children.push(child);
      }
      node = child;
    }
    node.value += value;
  }
  return serialized(root);
}

const frame = fc.constantFrom('main', 'run', 'läuft', 'ma', 'a b', '(x)', '→');
const stacks = fc
  .array(fc.tuple(fc.array(frame, { minLength: 1, maxLength: 6 }), fc.bigInt(1n, 2n ** 62n)), {
    maxLength: 20,
  })
  .map((list) => new Map(list.map(([frames, value]) => [frames.join(';'), value])));

describe('trie and tree', () => {
  it('give the stacks that were written', () => {
    fc.assert(
      fc.property(stacks, fc.integer({ min: 1, max: 9 }), (wanted, step) => {
        const fromTrie = new StackProfile(1);
        readCallTree(trieOf(wanted, step), 'trie', fromTrie);
        expect(stacksOf(fromTrie)).toEqual(wanted);
        const fromTree = new StackProfile(1);
        readCallTree(treeOf(wanted), 'tree', fromTree);
        expect(stacksOf(fromTree)).toEqual(wanted);
        const fromText = new StackProfile(1);
        const text = Array.from(wanted, ([stack, value]) => `${stack} ${value}\n`).join('');
        readFolded(Buffer.from(text), 'folded', fromText);
        expect(stacksOf(fromText)).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });

  it('refuse what is cut off, goes on, or repeats a long name without end', () => {
    const whole = treeOf(new Map([['main;run', 3n]]));
    for (let size = 0; size < whole.length; size++) {
      const read = () => readCallTree(whole.subarray(0, size), 'tree', new StackProfile(1));
      expect(read).toThrow(StoreError);
    }
    const more = Buffer.concat([whole, Buffer.from([0])]);
    expect(() => readCallTree(more, 'tree', new StackProfile(1))).toThrow(/after the last node/);
    // Each of 20,000 nodes below a name of 100 kB ends a stack of that name and one character.
    const below = Array.from({ length: 20_000 }, () => Buffer.from([1, 0x61, 1, 0]));
    const long = Buffer.alloc(100_000, 0x62);
    const head = [Buffer.from([0, 0, 1]), varint(long.length), long, Buffer.from([0])];
    const bomb = Buffer.concat([...head, varint(below.length), ...below]);
    expect(() => readCallTree(bomb, 'trie', new StackProfile(1))).toThrow(StoreError);
  });
});

describe('what is too much of a folded stack', () => {
  const MAX = LIMITS.stackDepthMax;

  it('is cut, and its value stays', () => {
    const profile = new StackProfile(1);
    const deep = Array.from({ length: MAX + 3 }, (_, i) => `f${i}`);
    const long = 'n'.repeat(LIMITS.stringBytesMax + 7);
    const body = Buffer.from(`${deep.join(';')} 5\nmain;${long} 7\n`);
    expect(readFolded(body, 'folded', profile)).toEqual([]);
    expect(profile.rejections).toMatchObject([{ reason: 'PS_STACKS_DEPTH', count: 3 }]);
    expect(stacksOf(profile)).toEqual(
      new Map([
        [deep.slice(0, MAX).join(';'), 5n],
        [`main;${long.slice(0, LIMITS.stringBytesMax)}`, 7n],
      ]),
    );
  });

  it('is no reason to lose a value: bytes that are no UTF-8 are shown as such', () => {
    const profile = new StackProfile(1);
    const body = Buffer.from([...Buffer.from('ma'), 0xff, ...Buffer.from(';run 3')]);
    expect(readFolded(body, 'folded', profile)).toEqual([]);
    expect(stacksOf(profile)).toEqual(new Map([['ma\ufffd;run', 3n]]));
  });
});

describe.skipIf(!existsSync(FIXTURES))('files of other projects', () => {
  const read = (name: string): Buffer => readFileSync(join(FIXTURES, name));

  it('reads the folded stacks of 57,000 samples of a server', () => {
    const name = 'collapsed-perf-vertx-stacks-01-collapsed-all.txt';
    const profile = new StackProfile(1);
    expect(readFolded(read(name), 'folded', profile)).toEqual([]);
    const wanted = new Map<string, bigint>();
    for (const line of read(name).toString().trim().split('\n')) {
      const blank = line.lastIndexOf(' ');
      const stack = line.slice(0, blank);
      wanted.set(stack, (wanted.get(stack) ?? 0n) + BigInt(line.slice(blank + 1)));
    }
    expect(stacksOf(profile)).toEqual(wanted);
  });

  it('reads line ends of both kinds, and drops and counts lines that are none', () => {
    const unix = new StackProfile(1);
    const dos = new StackProfile(1);
    readFolded(read('collapsed-simple.txt'), 'folded', unix);
    readFolded(read('collapsed-simple-crlf.txt'), 'folded', dos);
    expect(stacksOf(dos)).toEqual(stacksOf(unix));
    const invalid = new StackProfile(1);
    const rejected = readFolded(read('collapsed-simple-with-invalids.txt'), 'folded', invalid);
    expect(rejected.map((r) => r.reason)).toEqual(['PS_FOLDED_LINE']);
    expect(stacksOf(invalid)).toEqual(stacksOf(unix));
  });

  it('reads evented and sampled speedscope files', () => {
    const [evented] = readSpeedscope(read('simple.speedscope.json'));
    expect(evented?.stacks.sampleCount).toBeGreaterThan(0);
    // Both files say the same; one as events without a unit, the other as samples in seconds.
    const [sampled] = readSpeedscope(read('simple-sampled.speedscope.json'));
    const of = (p: typeof evented) => stacksOf(p?.stacks ?? new StackProfile(1));
    const inSeconds = Array.from(of(evented), ([k, v]) => [k, v * 1_000_000_000n] as const);
    expect(of(sampled)).toEqual(new Map(inSeconds));
    expect(readSpeedscope(read('two-sampled.speedscope.json'))).toHaveLength(2);
  });
});

describe('speedscope', () => {
  const file = (profile: object) =>
    Buffer.from(
      JSON.stringify({ shared: { frames: [{ name: 'a' }, { name: 'b' }] }, profiles: [profile] }),
    );

  it('gives what passes between events to the frames that are open', () => {
    const at = (type: string, frameIndex: number, time: number) => ({
      type,
      frame: frameIndex,
      at: time,
    });
    const events = [
      at('O', 0, 1.1),
      at('O', 1, 1.3),
      at('C', 1, 1.6),
      at('C', 0, 2.1),
      at('O', 1, 5),
      at('C', 1, 6),
    ];
    const [one] = readSpeedscope(
      file({ type: 'evented', name: 'x', unit: 'seconds', startValue: 1, events }),
    );
    expect(stacksOf(one?.stacks ?? new StackProfile(1))).toEqual(
      new Map([
        ['a', 700_000_000n],
        ['a;b', 300_000_000n],
        ['b', 1_000_000_000n],
      ]),
    );
  });

  it.each([
    [
      'events out of order',
      {
        type: 'evented',
        unit: 'none',
        events: [
          { type: 'O', frame: 0, at: 2 },
          { type: 'C', frame: 0, at: 1 },
        ],
      },
    ],
    [
      'a frame that was not open',
      { type: 'evented', unit: 'none', events: [{ type: 'C', frame: 0, at: 1 }] },
    ],
    ['another frame', { type: 'sampled', unit: 'none', samples: [[7]], weights: [1] }],
    ['too few weights', { type: 'sampled', unit: 'none', samples: [[0]], weights: [] }],
    ['an unknown unit', { type: 'sampled', unit: 'furlongs', samples: [], weights: [] }],
  ])('refuses %s', (_name, profile) => {
    expect(() => readSpeedscope(file(profile))).toThrow(StoreError);
  });
});
