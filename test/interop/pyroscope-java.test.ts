/**
 * Pyroscope's agent for Java, unmodified: what it sent is what queries answer, stack by stack. The recordings are read
 * once more by the JDK's own `jfr print`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentRun, runAgent, sendAgain } from '../support/agent-run.js';
import { interopClient } from '../support/interop-client.js';
import { inflate } from '../support/read-pprof.js';
import { formParts, storedRows } from '../support/sent-profiles.js';
import { bytesOf, decodeFields, type WireField } from '../support/wire-fields.js';

const client = interopClient('java');
const SERVICE = 'interop.java';
const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const INTERVAL_NS = 10_000_000n;

interface PrintedFrame {
  readonly method: { readonly type: { readonly name: string } | null; readonly name: string };
  readonly lineNumber: number;
}

interface PrintedEvent {
  readonly type: string;
  readonly values: {
    readonly stackTrace: { readonly frames: readonly PrintedFrame[] } | null;
    readonly contextId?: number;
    readonly tlabSize?: number;
    /** ISO 8601. */
    readonly duration?: string;
  };
}

const EVENTS = ['jdk.ExecutionSample', 'jdk.ObjectAllocationInNewTLAB', 'jdk.JavaMonitorEnter'];

/** The recording's events as the JDK's own tool prints them. */
function printed(recording: Uint8Array): readonly PrintedEvent[] {
  const dir = mkdtempSync(join(tmpdir(), 'basalt-jfr-'));
  try {
    const file = join(dir, 'a.jfr');
    writeFileSync(file, recording);
    const args = ['print', '--json', '--stack-depth', '4096', '--events', EVENTS.join(','), file];
    const out = execFileSync('jfr', args, { maxBuffer: 256 << 20, encoding: 'utf8' });
    return (JSON.parse(out) as { recording: { events: PrintedEvent[] } }).recording.events;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const number = (fields: readonly WireField[], field: number): bigint =>
  (fields.find((one) => one.field === field)?.value as bigint | undefined) ?? 0n;

/** Context id to the value of the label `vehicle`. */
function vehicles(labels: Uint8Array): ReadonlyMap<bigint, string> {
  const snapshot = decodeFields(labels);
  const texts = new Map(
    bytesOf(snapshot, 2).map((entry) => {
      const fields = decodeFields(entry);
      return [number(fields, 1), Buffer.from(bytesOf(fields, 2)[0] ?? []).toString()] as const;
    }),
  );
  return new Map(
    bytesOf(snapshot, 1).flatMap((entry) => {
      const fields = decodeFields(entry);
      return bytesOf(decodeFields(bytesOf(fields, 2)[0] ?? Buffer.alloc(0)), 1).flatMap((pair) => {
        const [key, value] = [1, 2].map((field) => texts.get(number(decodeFields(pair), field)));
        return key === 'vehicle' ? [[number(fields, 1), value ?? ''] as const] : [];
      });
    }),
  );
}

/** The JDK's tool prints the `/` of a class's name as a dot. */
function dotted(name: string): string {
  return name.replaceAll('/', '.');
}

/** Names that the JVM numbers anew at each start are stored without the numbers. */
function className(name: string): string {
  return name
    .replace(/\$\$Lambda\$\d+[./](0x[0-9a-f]+|\d+)$/, '$$$$Lambda_')
    .replace(/GeneratedMethodAccessor\d+$/, 'GeneratedMethodAccessor_');
}

function stackOf({ values }: PrintedEvent): string {
  const frames = [...(values.stackTrace?.frames ?? [])].reverse();
  return frames
    .map(({ method, lineNumber }) => {
      const line = lineNumber > 0 ? lineNumber : 0;
      return dotted(`${className(method.type?.name ?? '')}.${method.name}:${line}`);
    })
    .join(';');
}

/** Sums by stack and value of `vehicle`. */
type Sums = Map<string, bigint>;

function add(sums: Sums, key: string, value: bigint): void {
  if (value !== 0n) sums.set(key, (sums.get(key) ?? 0n) + value);
}

/** What queries answer, in the form of the JDK's tool. */
async function stored(run: AgentRun, type: string, selector = ''): Promise<Sums> {
  const rows = (await storedRows(run.server.http, SERVICE, selector)).get(type) ?? new Map();
  const sums: Sums = new Map();
  for (const [key, value] of rows) {
    const [stack, labels] = JSON.parse(key) as [string[], string[]];
    const names = stack.map((frame) => {
      const [name = '', , , , line] = frame.split('|');
      return `${dotted(name)}:${line}`;
    });
    add(sums, [names.join(';'), ...labels].join(' '), value);
  }
  return sums;
}

describe.skipIf(client.missing !== undefined)(
  `io.pyroscope:agent (${client.missing ?? 'there'})`,
  () => {
    let run: AgentRun;
    const cpu: Sums = new Map();
    const objects: Sums = new Map();
    const bytes: Sums = new Map();
    const contentions: Sums = new Map();

    beforeAll(async () => {
      run = await runAgent(client, 6, (url) => ({
        PYROSCOPE_SERVER_ADDRESS: url,
        PYROSCOPE_APPLICATION_NAME: SERVICE,
        PYROSCOPE_LABELS: 'region=eu/west',
        PYROSCOPE_FORMAT: 'jfr',
        PYROSCOPE_UPLOAD_INTERVAL: '3s',
        PYROSCOPE_PROFILER_EVENT: 'itimer',
        PYROSCOPE_PROFILER_ALLOC: '64k',
        PYROSCOPE_PROFILER_LOCK: '1ms',
      }));
      for (const { headers, body } of run.proxy.requests) {
        const parts = formParts(body, headers['content-type'] ?? '');
        const known = vehicles(inflate(parts.get('labels') ?? Buffer.alloc(0)));
        for (const event of printed(inflate(parts.get('jfr') ?? Buffer.alloc(0)))) {
          const vehicle = known.get(BigInt(event.values.contextId ?? 0));
          const key = `${stackOf(event)}${vehicle === undefined ? '' : ` vehicle=${vehicle}`}`;
          if (event.type === 'jdk.ExecutionSample') add(cpu, key, INTERVAL_NS);
          else if (event.type === 'jdk.JavaMonitorEnter') add(contentions, key, 1n);
          else {
            add(objects, key, 1n);
            add(bytes, key, BigInt(event.values.tlabSize ?? 0));
          }
        }
      }
    });

    afterAll(async () => {
      await run?.close();
    });

    const check = async (): Promise<void> => {
      const types: [string, Sums][] = [
        [CPU, cpu],
        ['memory:alloc_in_new_tlab_objects:count:space:bytes', objects],
        ['memory:alloc_in_new_tlab_bytes:bytes:space:bytes', bytes],
        ['mutex:contentions:count:mutex:count', contentions],
      ];
      for (const [type, sums] of types) {
        expect(sums.size, type).toBeGreaterThan(0);
        expect(await stored(run, type), type).toEqual(sums);
      }
    };

    it('was answered 200', () => {
      expect(run.proxy.requests.length).toBeGreaterThanOrEqual(2);
      for (const { url, status } of run.proxy.requests) {
        expect([new URLSearchParams(url.split('?')[1]).get('format'), status]).toEqual([
          'jfr',
          200,
        ]);
      }
    });

    it('finds every type, and every stack with its value', check);

    it('selects by dynamic tags and by the tags of its configuration', async () => {
      for (const vehicle of ['car', 'bike']) {
        const wanted = new Map([...cpu].filter(([key]) => key.endsWith(` vehicle=${vehicle}`)));
        expect(wanted.size).toBeGreaterThan(0);
        const selector = `,vehicle="${vehicle}",region="eu/west",jfr_event="itimer"`;
        expect(await stored(run, CPU, selector)).toEqual(wanted);
      }
    });

    it('counts requests that are sent again once', async () => {
      await sendAgain(run);
      await check();
    });
  },
);
