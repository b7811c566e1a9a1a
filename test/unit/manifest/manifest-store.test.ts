import { describe, expect, it } from 'vitest';
import { collectTenant } from '../../../src/manifest/collect.js';
import { emptyManifest } from '../../../src/manifest/manifest-codec.js';
import { ManifestStore } from '../../../src/manifest/manifest-store.js';
import {
  manifestKey,
  tenantFromPathPart,
  tenantPathPart,
} from '../../../src/manifest/object-keys.js';
import type { Manifest, ManifestBlock } from '../../../src/manifest/types.js';
import { MemoryBucket } from '../../../src/objstore/memory-bucket.js';
import type { Bucket } from '../../../src/objstore/bucket.js';
import { StoreError } from '../../../src/base/errors.js';
import { seededRng, VirtualClock } from '../../support/virtual-clock.js';

const clock = new VirtualClock();
let seed = 100;
const open = (bucket: Bucket, versionsKept?: number): ManifestStore =>
  new ManifestStore(
    { bucket, clock, rng: seededRng(seed++) },
    versionsKept === undefined ? {} : { versionsKept },
  );

const block = (blockId: string): ManifestBlock => ({
  blockId,
  level: 1,
  startNsMin: -5n,
  startNsMax: 1n << 60n,
  profileCount: 3,
  sampleCount: 4,
  sizeBytes: 5,
  createdMs: 6,
  seriesTombstones: [],
  retentionStamp: '',
  symbolBytes: 0,
});

const add =
  (id: string) =>
  (m: Manifest): Manifest => ({ ...m, blocks: [...m.blocks, block(id)] });

/** A bucket in which `putIfAbsent` of manifests goes wrong as `fault` says. */
function faulty(
  bucket: Bucket,
  fault: (key: string, put: () => Promise<unknown>) => Promise<void>,
): Bucket {
  return new Proxy(bucket, {
    get(target, name) {
      if (name === 'putIfAbsent') {
        return async (key: string, body: Uint8Array) => {
          await fault(key, () => target.putIfAbsent(key, body));
          return { etag: '' };
        };
      }
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const timeout = (): StoreError =>
  new StoreError({ kind: 'unavailable', code: 'PS_TEST', message: 'timeout' });

describe('manifest store', () => {
  it('starts empty, keeps what was committed and reads it with another store', async () => {
    const bucket = new MemoryBucket();
    const store = open(bucket);
    expect(await store.load('t')).toEqual(emptyManifest('t'));
    const state = {
      blocks: [block('b'), block('a')],
      watermarks: [{ instance: 'i', sequence: 7 }],
      carries: [
        {
          service: 's',
          objectKey: 'carry/t/x',
          sizeBytes: 9,
          seriesTombstones: [1],
          deletedSinceMs: 8,
        },
      ],
      seriesTombstones: [
        {
          id: 1,
          selector: '{pod="a"}',
          startMs: -5,
          endMs: 7,
          createdMs: 3,
          covered: [{ instance: 'i', sequence: 9 }],
        },
      ],
      tombstones: [{ objectPrefix: 'blocks/t/old/', sizeBytes: 1, deleteAfterMs: 2 }],
      fenceVersion: 0,
    };
    const one = await store.commit(await store.load('t'), () => state);
    expect(one).toMatchObject({ ...state, blocks: [block('a'), block('b')], version: 1 });
    expect(await open(bucket).load('t')).toEqual(one);
    expect(await open(bucket).tenants()).toEqual(['t']);
  });

  it('lets one of two commits on one base win', async () => {
    const bucket = new MemoryBucket();
    const [a, b] = [open(bucket), open(bucket)];
    const base = await a.load('t');
    await a.commit(base, add('a'));
    await expect(b.commit(base, add('b'))).rejects.toMatchObject({
      code: 'PS_MANIFEST_RACE',
      kind: 'conflict',
    });
    const after = await b.commit(await b.load('t'), add('b'));
    expect(after.blocks.map((x) => x.blockId)).toEqual(['a', 'b']);
    expect(await a.load('t')).toEqual(after);
  });

  it('knows its own success when the reply was lost, also as a conflict on the retry', async () => {
    const memory = new MemoryBucket();
    let calls = 0;
    const bucket = faulty(memory, async (_, put) => {
      calls++;
      await put();
      throw timeout();
    });
    const store = open(bucket);
    expect((await store.commit(await store.load('t'), add('a'))).version).toBe(1);
    expect(calls).toBe(1);
  });

  it('sends the same bytes again while the outcome is unknown, then says so', async () => {
    let calls = 0;
    const flaky = faulty(new MemoryBucket(), async (_, put) => {
      if (++calls < 3) throw timeout();
      await put();
    });
    const store = open(flaky);
    expect((await store.commit(await store.load('t'), add('a'))).version).toBe(1);
    const dead = open(faulty(new MemoryBucket(), () => Promise.reject(timeout())));
    await expect(dead.commit(await dead.load('t'), add('a'))).rejects.toMatchObject({
      code: 'PS_MANIFEST_UNCERTAIN',
      kind: 'unavailable',
    });
  });

  it('does not take a collected slot for a free one (a committer that slept)', async () => {
    const bucket = new MemoryBucket();
    const sleeper = open(bucket);
    const base = await sleeper.commit(await sleeper.load('t'), add('a'));
    const other = open(bucket, 2);
    for (let i = 0; i < 6; i++) await other.commit(await other.load('t'), add(`x${i}`));
    expect(await other.collectVersions('t')).toBe(5);
    await expect(sleeper.commit(base, add('zombie'))).rejects.toMatchObject({
      code: 'PS_MANIFEST_RACE',
    });
    expect((await sleeper.load('t')).version).toBe(7);
    await expect(bucket.get(manifestKey('t', 2))).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('finds the newest although its own version and the next are gone', async () => {
    const bucket = new MemoryBucket();
    const reader = open(bucket);
    await reader.commit(await reader.load('t'), add('a'));
    const other = open(bucket, 1);
    for (let i = 0; i < 4; i++) await other.commit(await other.load('t'), add(`x${i}`));
    await other.collectVersions('t');
    expect((await reader.load('t')).version).toBe(5);
  });

  it('reports a damaged version and never falls back to an older one (I8)', async () => {
    const bucket = new MemoryBucket();
    const store = open(bucket);
    await store.commit(await store.load('t'), add('a'));
    await store.commit(await store.load('t'), add('b'));
    const { body } = await bucket.get(manifestKey('t', 2));
    const damaged = body.slice();
    damaged[body.length - 1]! ^= 1;
    await bucket.put(manifestKey('t', 2), damaged);
    await expect(open(bucket).load('t')).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'PS_ENVELOPE_CHECKSUM',
    });
  });

  it('makes one path part of any tenant', () => {
    for (const tenant of ['anonymous', 'a.b-c_d', '.', '..', '.x', 'a/b', 'ü%2F', '%']) {
      const part = tenantPathPart(tenant);
      expect(part).toMatch(/^[A-Za-z0-9_%-][A-Za-z0-9_.%-]*$/);
      expect(tenantFromPathPart(part)).toBe(tenant);
    }
    expect(tenantPathPart('team-1.prod')).toBe('team-1.prod');
    expect(tenantFromPathPart('%61')).toBeUndefined();
  });
});

describe('collection', () => {
  const blockPrefix = (tenantId: string, blockId: string): string =>
    `blocks/${tenantId}/${blockId}/`;
  const tombstone = (id: string, deleteAfterMs: number) => ({
    objectPrefix: blockPrefix('t', id),
    sizeBytes: 1,
    deleteAfterMs,
  });

  async function setUp(change: (m: Manifest) => Manifest) {
    const bucket = new MemoryBucket();
    for (const id of ['live', 'old', 'older'])
      await bucket.put(`blocks/t/${id}/x`, new Uint8Array(3));
    const manifests = open(bucket);
    await manifests.commit(await manifests.load('t'), change);
    return { bucket, manifests, clock, blockPrefix };
  }
  const now = clock.nowMs();
  const both = (m: Manifest): Manifest => ({
    ...add('live')(m),
    tombstones: [tombstone('old', now + 1e6), tombstone('older', now - 1)],
  });

  it('deletes what is due and forgets its tombstone', async () => {
    const world = await setUp(both);
    expect(await collectTenant(world, 't')).toMatchObject({ tombstones: 1, objects: 1, bytes: 3 });
    expect((await world.manifests.load('t')).tombstones).toEqual([tombstone('old', now + 1e6)]);
    await expect(world.bucket.get('blocks/t/older/x')).rejects.toMatchObject({ kind: 'not-found' });
    await world.bucket.get('blocks/t/old/x');
    expect(await collectTenant(world, 't', { isImmediate: true })).toMatchObject({ tombstones: 1 });
    await expect(world.bucket.get('blocks/t/old/x')).rejects.toMatchObject({ kind: 'not-found' });
    await world.bucket.get('blocks/t/live/x');
  });

  it('refuses what cannot be right', async () => {
    const live = await setUp((m) => ({ ...both(m), tombstones: [tombstone('live', 0)] }));
    await expect(collectTenant(live, 't')).rejects.toMatchObject({ code: 'PS_COLLECT_LIVE' });
    const wide = await setUp((m) => ({
      ...m,
      tombstones: [{ ...tombstone('', 0), objectPrefix: 'blocks/t/' }],
    }));
    await expect(collectTenant(wide, 't')).rejects.toMatchObject({ code: 'PS_COLLECT_LIVE' });
    const many = await setUp(both);
    await expect(collectTenant(many, 't', { tombstonesMax: 0 })).rejects.toMatchObject({
      code: 'PS_COLLECT_TOO_MANY',
    });
    for (const { bucket } of [live, wide, many]) await bucket.get('blocks/t/live/x');
  });
});
