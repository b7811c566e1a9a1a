/** Pyroscope's Go agent, unmodified: what it sent is what queries answer, stack by stack. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AgentRun,
  expectStored,
  expectTagged,
  runAgent,
  sendAgain,
} from '../support/agent-run.js';
import { interopClient } from '../support/interop-client.js';
import { addPprof, formParts, type SentRows } from '../support/sent-profiles.js';

const client = interopClient('go');
const SERVICE = 'interop.go';
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

function nameOf(config: string): (types: readonly string[]) => string {
  return ([first = '']) => {
    if (first === 'samples') return 'process_cpu';
    if (first === 'contentions') return config.includes('block_count') ? 'block' : 'mutex';
    return first === 'goroutine' ? 'goroutines' : 'memory';
  };
}

describe.skipIf(client.missing !== undefined)(`pyroscope-go (${client.missing ?? 'there'})`, () => {
  let run: AgentRun;
  const sent: SentRows = new Map();

  beforeAll(async () => {
    run = await runAgent(client, 5);
    for (const { headers, body } of run.proxy.requests) {
      const parts = formParts(body, headers['content-type'] ?? '');
      const config = parts.get('sample_type_config')?.toString() ?? '';
      addPprof(sent, parts.get('profile') ?? Buffer.alloc(0), nameOf(config));
    }
  });

  afterAll(async () => {
    await run?.close();
  });

  it('was answered 200 and nothing else', () => {
    expect(run.proxy.requests.length).toBeGreaterThanOrEqual(10);
    for (const { url, status, answer } of run.proxy.requests) {
      expect([url.slice(0, 8), status, answer.toString()]).toEqual(['/ingest?', 200, '']);
    }
  });

  it('finds every type, and every stack with its value', async () => {
    expect([...sent.keys()].sort()).toEqual([
      'block:contentions:count:contentions:count',
      'block:delay:nanoseconds:contentions:count',
      'goroutines:goroutine:count:goroutine:count',
      'memory:alloc_objects:count:space:bytes',
      'memory:alloc_space:bytes:space:bytes',
      'memory:inuse_objects:count:space:bytes',
      'memory:inuse_space:bytes:space:bytes',
      'mutex:contentions:count:contentions:count',
      'mutex:delay:nanoseconds:contentions:count',
      CPU,
      'process_cpu:samples:count:cpu:nanoseconds',
    ]);
    await expectStored(run, SERVICE, sent);
  });

  it('selects by dynamic tags and by the tags of its configuration', async () => {
    await expectTagged(run, SERVICE, { type: CPU, rows: sent });
    const url = `http://${run.server.http}/api/v1/labels?match={service_name="${SERVICE}"}`;
    const { labels } = (await (await fetch(url)).json()) as { labels: string[] };
    const wanted = ['pod', 'region', 'pyroscope_spy', 'otel.scope.name'];
    expect(labels).toEqual(expect.arrayContaining(wanted));
    expect(labels).not.toContain('__session_id__');
  });

  it('counts requests that are sent again once', async () => {
    await sendAgain(run);
    await expectStored(run, SERVICE, sent);
  });
});
