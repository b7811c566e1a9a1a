import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKind } from '../../../src/base/errors.js';
import { findApiRoute } from '../../../src/server/http-api.js';
import { readParameters } from '../../../src/server/http-parameters.js';
import { splitAddress } from '../../../src/server/address.js';
import { BodyBudget } from '../../../src/server/body-budget.js';
import { chooseEncoding } from '../../../src/server/http-respond.js';
import { defaultStepMs, parseDuration, parseTime } from '../../../src/server/http-times.js';
import {
  decodeMessage,
  encodeWriteResult,
  writeResponse,
} from '../../../src/server/ingest-messages.js';
import { JsonText } from '../../../src/server/json-text.js';
import { nearest } from '../../../src/server/nearest.js';
import { tenantOf } from '../../../src/server/tenant.js';
import { WriteProfileResponseSchema } from '../../../src/gen/basalt/v1/ingest_pb.js';

const INT64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe('JsonText', () => {
  it('writes 64-bit numbers as JSON.stringify writes their texts', () => {
    const near = fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n });
    const small = fc.bigInt({ min: -20_000n, max: 20_000n });
    fc.assert(
      fc.property(fc.array(fc.oneof(INT64, near, small)), (values) => {
        const text = new JsonText().int64Array(BigInt64Array.from(values)).finish().toString();
        expect(text).toBe(JSON.stringify(values.map(String)));
      }),
    );
    const edges = [
      0n,
      9n,
      10n,
      -10n,
      99n,
      100n,
      2n ** 31n - 1n,
      2n ** 31n,
      2n ** 32n,
      2n ** 53n - 1n,
      2n ** 53n,
    ];
    const values = [...edges, ...edges.map((v) => -v), 10n ** 15n, 10n ** 15n - 1n, -(2n ** 63n)];
    const text = new JsonText().int64Array(BigInt64Array.from(values)).finish().toString();
    expect(JSON.parse(text)).toEqual(values.map(String));
  });

  it('writes 32-bit numbers and texts', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
        fc.array(fc.string({ unit: 'binary' })),
        (numbers, texts) => {
          const json = new JsonText()
            .raw('[')
            .int32Array(Int32Array.from(numbers))
            .raw(',')
            .strings(texts)
            .raw(']')
            .finish()
            .toString();
          expect(JSON.parse(json)).toEqual([numbers, texts]);
        },
      ),
    );
  });

  it('grows past its first buffer', () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `läuft ${i}`);
    expect(JSON.parse(new JsonText().strings(names).finish().toString())).toEqual(names);
  });
});

describe('encodeWriteResult', () => {
  it('writes the bytes that the general encoder writes', () => {
    const result = fc.record({
      profileId: fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string(),
        fc.string({ minLength: 120, maxLength: 140 }),
      ),
      profiles: fc.nat(),
      samples: fc.maxSafeNat(),
      rejections: fc.array(
        fc.record({ reason: fc.string(), count: fc.nat(), message: fc.string() }),
        { maxLength: 2 },
      ),
    });
    fc.assert(
      fc.property(result, (value) => {
        // A lone surrogate has no UTF-8; ids come from valid UTF-8.
        fc.pre(!/[\ud800-\udfff]/u.test(value.profileId));
        const expected = toBinary(WriteProfileResponseSchema, writeResponse(value));
        const bytes = encodeWriteResult(value);
        expect(Buffer.compare(bytes, expected)).toBe(0);
        expect(fromBinary(WriteProfileResponseSchema, bytes).profileId).toBe(value.profileId);
      }),
    );
  });
});

describe('times', () => {
  const now = 1_700_000_000_500;

  it('reads RFC 3339 as Date does', () => {
    const date = fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true });
    fc.assert(
      fc.property(date, fc.integer({ min: -14 * 60, max: 14 * 60 }), (value, offset) => {
        expect(parseTime('start', value.toISOString(), now)).toBe(value.getTime());
        const local = new Date(value.getTime() + offset * 60_000).toISOString().slice(0, -1);
        const pad = (n: number) => String(n).padStart(2, '0');
        const hours = pad(Math.floor(Math.abs(offset) / 60));
        const text = `${local}${offset < 0 ? '-' : '+'}${hours}:${pad(Math.abs(offset) % 60)}`;
        expect(parseTime('start', text, now)).toBe(value.getTime());
      }),
    );
  });

  it.each([
    ['0', 0],
    ['1700000000123', 1_700_000_000_123],
    ['now', now],
    ['now-1h', now - 3_600_000],
    ['now-1h30m', now - 5_400_000],
    ['now-2w', now - 2 * 604_800_000],
    ['now-500ms', now - 500],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['2024-02-29 00:00:00.123456789Z', Date.UTC(2024, 1, 29, 0, 0, 0, 123)],
  ])('reads %s', (text, ms) => {
    expect(parseTime('start', text, now)).toBe(ms);
  });

  it.each([
    '',
    '1.5',
    'now+1h',
    'now-',
    'now-1y',
    '2023-02-29T00:00:00Z',
    '2024-01-01',
    '99999999999999999',
    '2024-01-01T25:00:00Z',
    '2024-13-01T00:00:00Z',
  ])('refuses %j', (text) => {
    expect(() => parseTime('start', text, now)).toThrow(/cannot read time start/);
  });

  it('reads durations and chooses steps', () => {
    expect(parseDuration('step', '15s')).toBe(15_000);
    expect(parseDuration('step', '250')).toBe(250);
    expect(() => parseDuration('step', '0')).toThrow(/cannot read duration step/);
    expect(() => parseDuration('step', '-5s')).toThrow();
    expect(() => parseDuration('step', '999999999999w999999999999w')).toThrow();
    expect(defaultStepMs(0, 60_000)).toBe(1_000);
    expect(defaultStepMs(0, 3_600_000)).toBe(15_000);
    expect(defaultStepMs(0, 3e12) % 86_400_000).toBe(0);
  });
});

describe('small parts', () => {
  it('suggests the nearest name', () => {
    expect(nearest('maxnodes', ['maxNodes', 'match'])).toBe('maxNodes');
    expect(nearest('zzzzzz', ['maxNodes', 'match'])).toBeUndefined();
  });

  it('takes and refuses tenants', () => {
    expect(tenantOf(undefined)).toBe('anonymous');
    expect(tenantOf('')).toBe('anonymous');
    expect(tenantOf('Team_1.a-b')).toBe('Team_1.a-b');
    for (const bad of ['.', '..', 'a/b', 'a b', 'ä', '-a', 'a\n', 'x'.repeat(129), 'a,b']) {
      expect(() => tenantOf(bad)).toThrow(expect.objectContaining({ code: 'PS_TENANT' }));
    }
  });

  it('splits addresses', () => {
    expect(splitAddress('127.0.0.1:4040')).toEqual({ host: '127.0.0.1', port: 4040 });
    expect(splitAddress('[::1]:0')).toEqual({ host: '::1', port: 0 });
    expect(splitAddress(':80')).toEqual({ host: '::', port: 80 });
    for (const bad of ['', 'a', 'a:b', 'a:70000', '::1:80'])
      expect(() => splitAddress(bad)).toThrow();
  });

  it('chooses an encoding', () => {
    expect(chooseEncoding(undefined)).toBe('identity');
    expect(chooseEncoding('gzip, deflate, br')).toBe('br');
    expect(chooseEncoding('br;q=0, GZIP;q=0.5')).toBe('gzip');
    expect(chooseEncoding('gzip;q=0.0')).toBe('identity');
  });

  it('bounds bodies (I6)', () => {
    const budget = new BodyBudget(10);
    budget.take(6);
    expect(() => budget.take(5)).toThrow(/cannot receive body/);
    budget.give(6);
    budget.take(10);
    expect(budget.used).toBe(10);
  });
});

describe('outside text', () => {
  it('is read or refused as invalid, whatever it is', () => {
    const names = { once: ['start', 'type'], repeated: ['label'] };
    const readers: ((text: string) => unknown)[] = [
      (text) => readParameters(text, names),
      (text) => readParameters(`start=${text}&label=${text}`, names),
      (text) => parseTime('start', text, 1_700_000_000_000),
      (text) => parseDuration('step', text),
      (text) => tenantOf(text),
      (text) => splitAddress(text),
      (text) => findApiRoute(text),
      (text) => findApiRoute(`/api/v1/labels/${text}/values`),
      (text) => decodeMessage(WriteProfileResponseSchema, Buffer.from(text)),
    ];
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^(now|start|type|[-+&=%0-9smhdwTZ:.{}/])*$/),
    );
    fc.assert(
      fc.property(text, fc.constantFrom(...readers), (value, read) => {
        try {
          read(value);
        } catch (error) {
          expect(isKind(error, 'invalid')).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
