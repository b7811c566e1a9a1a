import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreError, invalid } from '../../../src/base/errors.js';
import { LIMITS } from '../../../src/base/limits.js';
import {
  IngestService,
  WriteProfileRequestSchema,
  type WriteProfileResponse,
} from '../../../src/gen/basalt/v1/ingest_pb.js';
import { ErrorInfoSchema, RetryInfoSchema } from '../../../src/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../../src/gen/google/rpc/status_pb.js';
import { startTestServer, type TestServer } from './fakes.js';
import { duplex, grpcClient, metadataOf, unary } from './grpc-client.js';

const { writeProfile, writeProfiles } = IngestService.method;

let test: TestServer;
let client: Client;

beforeEach(async () => {
  test = await startTestServer();
  client = grpcClient(test.grpcAddress);
});

afterEach(async () => {
  client.close();
  await test.server.close();
});

async function failure(promise: Promise<unknown>): Promise<ServiceError> {
  return await promise.then(
    () => {
      throw new Error('the call succeeded');
    },
    (error: ServiceError) => error,
  );
}

function request(text: string) {
  return { labels: [{ name: 'service_name', value: 'api' }], profile: Buffer.from(text) };
}

describe('WriteProfile', () => {
  it('hands the bytes on as they came, unknown fields included', async () => {
    const message = create(WriteProfileRequestSchema, request('pprof'));
    const bytes = Buffer.concat([
      toBinary(WriteProfileRequestSchema, message),
      Buffer.from([0x78, 1]),
    ]);
    const answer = await unary(client, writeProfile, bytes);
    expect(answer).toMatchObject({ profileId: 'p1', profiles: 2, samples: 900n, rejections: [] });
    expect(test.ingest.encoded).toHaveLength(1);
    expect(Buffer.compare(test.ingest.encoded[0]?.bytes ?? Buffer.of(), bytes)).toBe(0);
    expect(test.ingest.encoded[0]?.tenantId).toBe('anonymous');
  });

  it('tells what was rejected', async () => {
    const rejection = { reason: 'PS_SAMPLE_LABELS', count: 3, message: 'cut ü' };
    test.ingest.answer = () => ({
      profileId: 'é',
      profiles: 1,
      samples: 0,
      rejections: [rejection],
    });
    const answer = await unary(client, writeProfile, request('x'));
    expect(answer.profileId).toBe('é');
    expect(answer.rejections).toMatchObject([{ ...rejection, count: 3n }]);
  });

  it('takes the tenant from x-scope-orgid and refuses a bad one', async () => {
    await unary(client, writeProfile, request('x'), {
      metadata: metadataOf({ 'x-scope-orgid': 'team-7' }),
    });
    expect(test.ingest.encoded[0]?.tenantId).toBe('team-7');
    const bad = metadataOf({ 'x-scope-orgid': '../etc' });
    const error = await failure(unary(client, writeProfile, request('x'), { metadata: bad }));
    expect(error.code).toBe(3);
    expect(error.metadata.get('basalt-reason')).toEqual(['PS_TENANT']);
    expect(test.ingest.encoded).toHaveLength(1);
  });

  it('takes a message of the largest profile and refuses a larger one', async () => {
    const profile = Buffer.alloc(LIMITS.profileBytesMax, 1);
    await unary(client, writeProfile, { profile });
    expect(test.ingest.encoded[0]?.bytes.length).toBeGreaterThan(LIMITS.profileBytesMax);
    const larger = Buffer.alloc(LIMITS.profileBytesMax + (1 << 20));
    const error = await failure(unary(client, writeProfile, { profile: larger }));
    expect(error.code).toBe(8);
  });

  it.each([
    ['invalid', 3],
    ['not-found', 5],
    ['limit', 8],
    ['conflict', 10],
    ['unavailable', 14],
    ['corrupt', 15],
    ['closed', 14],
    ['cancelled', 1],
    ['internal', 13],
  ] as const)('answers kind %s with code %i', async (kind, code) => {
    const message = 'cannot do it: got "\ud800" → lone; want none';
    test.ingest.answer = () => {
      throw new StoreError({ kind, code: 'PS_TEST', message, details: { retryAfterMs: 1_500 } });
    };
    const error = await failure(unary(client, writeProfile, request('x')));
    expect(error.code).toBe(code);
    expect(error.details).toBe('cannot do it: got "\ufffd" → lone; want none');
    expect(error.metadata.get('basalt-reason')).toEqual(['PS_TEST']);
    const status = fromBinary(
      StatusSchema,
      error.metadata.get('grpc-status-details-bin')[0] as Buffer,
    );
    expect(status.code).toBe(code);
    const [info, retry] = status.details;
    expect(info && anyUnpack(info, ErrorInfoSchema)).toMatchObject({
      reason: 'PS_TEST',
      domain: 'basalt',
    });
    if (kind === 'limit') {
      const delay = retry && anyUnpack(retry, RetryInfoSchema)?.retryDelay;
      expect(delay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
    } else {
      expect(retry).toBeUndefined();
    }
  });

  it('keeps the text of an unexpected error to itself and reports it', async () => {
    test.ingest.answer = () => {
      throw new TypeError('secret path /var/lib');
    };
    const error = await failure(unary(client, writeProfile, request('x')));
    expect(error.code).toBe(13);
    expect(error.details).not.toContain('secret');
    expect(test.reported).toHaveLength(1);
    expect(test.reported[0]).toMatchObject({ method: 'WriteProfile' });
  });
});

describe('WriteProfiles', () => {
  function collect(call: ReturnType<typeof open>): Promise<WriteProfileResponse[]> {
    return new Promise((resolve, reject) => {
      const answers: WriteProfileResponse[] = [];
      call.on('data', (answer: WriteProfileResponse) => answers.push(answer));
      call.on('error', reject);
      call.on('end', () => resolve(answers));
    });
  }

  function open(metadata = metadataOf({})) {
    return duplex(client, writeProfiles, metadata);
  }

  function profileText(bytes: Uint8Array): string {
    return Buffer.from(fromBinary(WriteProfileRequestSchema, bytes).profile).toString();
  }

  it('answers in order whatever order the writes finish in, and goes on after an error', async () => {
    test.ingest.answer = async (bytes) => {
      const text = profileText(bytes);
      const index = Number(text);
      await new Promise((resolve) => setTimeout(resolve, (50 - index) % 7));
      if (index % 10 === 3) throw invalid('PS_TEST', `cannot store ${text}: got it; want another`);
      return { profileId: text, profiles: 1, samples: index, rejections: [] };
    };
    const call = open();
    const answered = collect(call);
    for (let i = 0; i < 50; i++) call.write(request(String(i)));
    call.end();
    const answers = await answered;
    expect(answers).toHaveLength(50);
    for (const [i, answer] of answers.entries()) {
      if (i % 10 === 3) {
        expect(answer.error).toMatchObject({
          code: 3,
          message: expect.stringContaining(`store ${i}`),
        });
        const detail = answer.error?.details[0];
        expect(detail && anyUnpack(detail, ErrorInfoSchema)?.reason).toBe('PS_TEST');
      } else {
        expect(answer).toMatchObject({ profileId: String(i), samples: BigInt(i) });
        expect(answer.error).toBeUndefined();
      }
    }
  });

  it('reads no more than its bound while writes wait (I6)', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let started = 0;
    test.ingest.answer = async () => {
      started += 1;
      await gate;
      return { profileId: 'p', profiles: 1, samples: 1, rejections: [] };
    };
    const call = open();
    const answered = collect(call);
    const count = LIMITS.streamInFlightRequestsMax * 3;
    for (let i = 0; i < count; i++) call.write(request(String(i)));
    call.end();
    await expect.poll(() => started).toBe(LIMITS.streamInFlightRequestsMax);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(started).toBe(LIMITS.streamInFlightRequestsMax);
    release();
    expect(await answered).toHaveLength(count);
  });

  it('survives a client that goes away in the middle', async () => {
    let started = 0;
    test.ingest.answer = async () => {
      started += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { profileId: 'p', profiles: 1, samples: 1, rejections: [] };
    };
    const call = open();
    const answered = collect(call);
    for (let i = 0; i < 10; i++) call.write(request(String(i)));
    await expect.poll(() => started).toBeGreaterThan(0);
    call.cancel();
    await expect(answered).rejects.toMatchObject({ code: 1 });
    await unary(client, writeProfile, request('still there'));
  });

  it('ends an empty stream, and refuses a bad tenant for the whole stream', async () => {
    const empty = open();
    const answered = collect(empty);
    empty.end();
    expect(await answered).toEqual([]);
    const bad = open(metadataOf({ 'x-scope-orgid': 'a/b' }));
    const refused = collect(bad);
    bad.end();
    await expect(refused).rejects.toMatchObject({ code: 3 });
  });
});
