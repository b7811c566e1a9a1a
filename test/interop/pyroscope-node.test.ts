/** Pyroscope's agent for Node, unmodified: what it sent is what queries answer, stack by stack. */
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

const client = interopClient('node');
const SERVICE = 'interop.node';
const WALL = 'wall:wall:nanoseconds:wall:nanoseconds';

describe.skipIf(client.missing !== undefined)(
  `@pyroscope/nodejs (${client.missing ?? 'there'})`,
  () => {
    let run: AgentRun;
    const sent: SentRows = new Map();

    beforeAll(async () => {
      run = await runAgent(client, 5);
      for (const { body } of run.proxy.requests) {
        addPprof(sent, body, (types) => (types.includes('wall') ? 'wall' : 'memory'));
      }
    });

    afterAll(async () => {
      await run?.close();
    });

    it('was answered 200', () => {
      expect(run.proxy.requests.length).toBeGreaterThanOrEqual(4);
      for (const { url, status } of run.proxy.requests) {
        expect([new URLSearchParams(url.split('?')[1]).get('spyName'), status]).toEqual([
          'nodespy',
          200,
        ]);
      }
    });

    it('finds every type, and every stack with its value', async () => {
      expect([...sent.keys()].sort()).toEqual([
        'memory:inuse_objects:count:inuse_space:bytes',
        'memory:inuse_space:bytes:inuse_space:bytes',
        'wall:cpu:nanoseconds:wall:nanoseconds',
        'wall:samples:count:wall:nanoseconds',
        WALL,
      ]);
      await expectStored(run, SERVICE, sent);
    });

    it('selects by dynamic tags and by the tags of its configuration', async () => {
      await expectTagged(run, SERVICE, { type: WALL, rows: sent });
    });

    it('counts requests that are sent again once', async () => {
      await sendAgain(run);
      await expectStored(run, SERVICE, sent);
    });
  },
);
