/** Pyroscope's agent for Python, unmodified: what it pushed is what queries answer, stack by stack. */
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AgentRun,
  expectStored,
  expectTagged,
  runAgent,
  sendAgain,
} from '../support/agent-run.js';
import { interopClient } from '../support/interop-client.js';
import { addPprof, type SentRows } from '../support/sent-profiles.js';
import { bytesOf, decodeFields } from '../support/wire-fields.js';

const client = interopClient('python');
const SERVICE = 'interop.python';
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

/** `__name__` and the profiles of each series of a PushRequest. */
function pushed(body: Uint8Array): { name: string; profiles: Uint8Array[] }[] {
  return bytesOf(decodeFields(body), 1).map((series) => {
    const fields = decodeFields(series);
    const labels = bytesOf(fields, 1).map((label) => {
      const pair = decodeFields(label);
      return [text(bytesOf(pair, 1)[0]), text(bytesOf(pair, 2)[0])] as const;
    });
    const samples = bytesOf(fields, 2).map((sample) => decodeFields(sample));
    return {
      name: new Map(labels).get('__name__') ?? '',
      profiles: samples.flatMap((sample) => bytesOf(sample, 1)),
    };
  });
}

describe.skipIf(client.missing !== undefined)(`pyroscope-io (${client.missing ?? 'there'})`, () => {
  let run: AgentRun;
  const sent: SentRows = new Map();

  beforeAll(async () => {
    run = await runAgent(client, 6);
    for (const { headers, body } of run.proxy.requests) {
      const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      for (const { name, profiles } of pushed(plain)) {
        for (const profile of profiles) addPprof(sent, profile, () => name);
      }
    }
  });

  afterAll(async () => {
    await run?.close();
  });

  it('was answered 200', () => {
    expect(run.proxy.requests.length).toBeGreaterThanOrEqual(2);
    for (const { url, status } of run.proxy.requests) {
      expect([url, status]).toEqual(['/push.v1.PusherService/Push', 200]);
    }
  });

  it('finds every type, and every stack with its value', async () => {
    expect([...sent.keys()]).toEqual(
      expect.arrayContaining([
        CPU,
        'memory:alloc_space:bytes:space:bytes',
        'memory:inuse_space:bytes:space:bytes',
      ]),
    );
    await expectStored(run, SERVICE, sent);
  });

  it('selects by dynamic tags and by the tags of its configuration', async () => {
    await expectTagged(run, SERVICE, { type: CPU, rows: sent });
  });

  it('counts requests that are sent again once', async () => {
    await sendAgain(run);
    await expectStored(run, SERVICE, sent);
  });
});
