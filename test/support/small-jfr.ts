/** JFR recordings written byte by byte from the layout, for tests: two methods, and what events a test wants. */

type Bytes = readonly number[];

export function leb(value: number | bigint): Bytes {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (let i = 0; i < 8; i++) {
    if (rest < 0x80n) return [...out, Number(rest)];
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return [...out, Number(rest & 0xffn)];
}

const utf8 = (text: string): Bytes => [3, ...leb(Buffer.byteLength(text)), ...Buffer.from(text)];

function big(value: number | bigint, sizeBytes: number): Bytes {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt(value));
  return [...buffer.subarray(8 - sizeBytes)];
}

/** An event's size counts itself; written as four bytes, as recorders do. */
function event(typeId: number, body: Bytes): Bytes {
  const content = [...leb(typeId), ...body];
  const size = content.length + 4;
  return [
    (size & 0x7f) | 0x80,
    ((size >> 7) & 0x7f) | 0x80,
    ((size >> 14) & 0x7f) | 0x80,
    size >> 21,
    ...content,
  ];
}

interface Field {
  readonly name: string;
  readonly type: number;
  readonly pooled?: boolean;
  readonly array?: boolean;
}

const LONG = 4;
const STRING = 8;
const TYPES: readonly {
  readonly id: number;
  readonly name: string;
  readonly fields: readonly Field[];
}[] = [
  { id: LONG, name: 'long', fields: [] },
  { id: 5, name: 'int', fields: [] },
  { id: 6, name: 'boolean', fields: [] },
  { id: STRING, name: 'java.lang.String', fields: [] },
  { id: 20, name: 'java.lang.Class', fields: [{ name: 'name', type: 22, pooled: true }] },
  {
    id: 21,
    name: 'jdk.types.Method',
    fields: [
      { name: 'type', type: 20, pooled: true },
      { name: 'name', type: 22, pooled: true },
    ],
  },
  { id: 22, name: 'jdk.types.Symbol', fields: [{ name: 'string', type: STRING }] },
  {
    id: 23,
    name: 'jdk.types.StackFrame',
    fields: [
      { name: 'method', type: 21, pooled: true },
      { name: 'lineNumber', type: 5 },
    ],
  },
  {
    id: 24,
    name: 'jdk.types.StackTrace',
    fields: [
      { name: 'truncated', type: 6 },
      { name: 'frames', type: 23, array: true },
    ],
  },
  { id: 25, name: 'jdk.types.ThreadState', fields: [{ name: 'name', type: STRING }] },
  {
    id: 101,
    name: 'jdk.ExecutionSample',
    fields: [
      'startTime',
      'stackTrace:24',
      'state:25',
      'contextId',
      'spanId',
      'spanName',
      'traceIdHi',
      'traceIdLo',
    ].map(field),
  },
  {
    id: 102,
    name: 'profiler.WallClockSample',
    fields: ['startTime', 'stackTrace:24', 'state:25', 'samples', 'contextId'].map(field),
  },
  {
    id: 103,
    name: 'jdk.JavaMonitorEnter',
    fields: ['startTime', 'duration', 'stackTrace:24', 'contextId'].map(field),
  },
  {
    id: 104,
    name: 'jdk.ObjectAllocationInNewTLAB',
    fields: ['startTime', 'stackTrace:24', 'tlabSize', 'contextId'].map(field),
  },
  {
    id: 105,
    name: 'jdk.ActiveSetting',
    fields: [
      { name: 'name', type: STRING },
      { name: 'value', type: STRING },
    ],
  },
  { id: 106, name: 'profiler.LiveObject', fields: ['startTime', 'stackTrace:24'].map(field) },
];

function field(text: string): Field {
  const [name = '', pool] = text.split(':');
  return pool === undefined ? { name, type: LONG } : { name, type: Number(pool), pooled: true };
}

function metadata(): Bytes {
  const strings: string[] = [];
  const index = (text: string): Bytes => {
    const known = strings.indexOf(text);
    return leb(known >= 0 ? known : strings.push(text) - 1);
  };
  const element = (
    name: string,
    attributes: Record<string, string>,
    children: readonly Bytes[],
  ): Bytes => [
    ...index(name),
    ...leb(Object.keys(attributes).length),
    ...Object.entries(attributes).flatMap(([key, value]) => [...index(key), ...index(value)]),
    ...leb(children.length),
    ...children.flat(),
  ];
  const classes = TYPES.map(({ id, name, fields }) =>
    element(
      'class',
      { id: String(id), name },
      fields.map((f) =>
        element(
          'field',
          {
            name: f.name,
            class: String(f.type),
            ...(f.pooled === true ? { constantPool: 'true' } : {}),
            ...(f.array === true ? { dimension: '1' } : {}),
          },
          [],
        ),
      ),
    ),
  );
  const root = element('root', {}, [element('metadata', {}, classes), element('region', {}, [])]);
  return event(0, [
    ...leb(1),
    ...leb(0),
    ...leb(1),
    ...leb(strings.length),
    ...strings.flatMap(utf8),
    ...root,
  ]);
}

/** Stack 1 is main:3 ▶ run:7, stack 2 main:3 alone; state 1 runs, state 2 sleeps. */
function checkpoint(): Bytes {
  const pool = (typeId: number, entries: readonly Bytes[]): Bytes => [
    ...leb(typeId),
    ...leb(entries.length),
    ...entries.flatMap((entry, i) => [...leb(i + 1), ...entry]),
  ];
  const frame = (method: number, line: number): Bytes => [...leb(method), ...leb(line)];
  const pools = [
    pool(22, ['a/Shop', 'main', 'run', 'b/C$$Lambda$17.0x00007f479400f7b8'].map(utf8)),
    pool(20, [leb(1), leb(4)]),
    pool(21, [
      [...leb(1), ...leb(2)],
      [...leb(2), ...leb(3)],
    ]),
    pool(24, [
      [0, ...leb(2), ...frame(2, 7), ...frame(1, 3)],
      [0, ...leb(1), ...frame(1, 3)],
    ]),
    pool(25, ['STATE_RUNNABLE', 'STATE_SLEEPING'].map(utf8)),
  ];
  return event(1, [...leb(1), ...leb(0), ...leb(0), 1, ...leb(pools.length), ...pools.flat()]);
}

export interface SmallJfrEvent {
  /** One of the types above. */
  readonly type: string;
  /** Missing fields are 0, or empty. */
  readonly fields: Readonly<Record<string, number | bigint | string>>;
}

/** One chunk, whose clock ticks a thousand times a second. */
export function smallJfr(events: readonly SmallJfrEvent[]): Uint8Array {
  const body = events.flatMap(({ type, fields }) => {
    const found = TYPES.find((t) => t.name === type);
    if (found === undefined) throw new Error(`no type ${type}`);
    const values = found.fields.flatMap((f) => {
      const value = fields[f.name] ?? (f.type === STRING ? '' : 0);
      return typeof value === 'string' ? utf8(value) : leb(value);
    });
    return event(found.id, values);
  });
  const meta = metadata();
  // Events may come before what they refer to.
  const rest = [...body, ...checkpoint(), ...meta];
  const size = 68 + rest.length;
  const header = [
    ...Buffer.from('FLR\0'),
    ...big(2, 2),
    ...big(0, 2),
    ...big(size, 8),
    ...big(68 + body.length, 8),
    ...big(size - meta.length, 8),
    ...big(1_790_000_000_000_000_000n, 8),
    ...big(0, 8),
    ...big(0, 8),
    ...big(1_000, 8),
    ...big(1, 4),
  ];
  return Uint8Array.from([...header, ...rest]);
}
