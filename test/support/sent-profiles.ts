/** What agents sent, by profile type, from recorded requests: decoded by implementations that are not ours. */
import { inflate, type PlainRows, readPprof } from './read-pprof.js';

export type SentRows = Map<string, PlainRows>;

/** Adds the values of a pprof to the profile types that `nameOf` gives its sample types. */
export function addPprof(
  sent: SentRows,
  body: Uint8Array,
  nameOf: (sampleTypes: readonly string[]) => string,
): void {
  const profile = readPprof(inflate(body));
  const name = nameOf(profile.types.map((t) => t.type));
  profile.types.forEach(({ type, unit }, index) => {
    const id = `${name}:${type}:${unit}:${profile.periodType}:${profile.periodUnit}`;
    const sum = sent.get(id) ?? new Map<string, bigint>();
    for (const [key, value] of profile.rows(index)) sum.set(key, (sum.get(key) ?? 0n) + value);
    sent.set(id, sum);
  });
}

/** Rows with a sample label `name=value`. */
export function withLabel(rows: PlainRows, label: string): PlainRows {
  return new Map(
    [...rows].filter(([key]) => (JSON.parse(key) as [unknown, string[]])[1].includes(label)),
  );
}

/** The parts of a form by name, cut at the boundary. */
export function formParts(body: Buffer, contentType: string): Map<string, Buffer> {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1] ?? '';
  const parts = new Map<string, Buffer>();
  const text = body.toString('latin1');
  for (const part of text.split(`--${boundary}`).slice(1, -1)) {
    const head = part.indexOf('\r\n\r\n');
    const name = /name="([^"]*)"/.exec(part.slice(0, head))?.[1] ?? '';
    parts.set(name, Buffer.from(part.slice(head + 4, -2), 'latin1'));
  }
  return parts;
}

/** The merged profile of every type of `service`, by the server's own answer; sums, also of gauges. */
export async function storedRows(http: string, service: string, labels = ''): Promise<SentRows> {
  const selector = `{service_name="${service}"${labels}}`;
  const range = `start=now-1h&end=${Date.now() + 60_000}`;
  const list = await fetch(
    `http://${http}/api/v1/profile-types?match=${encodeURIComponent(selector)}&${range}`,
  );
  const { profileTypes } = (await list.json()) as { profileTypes: { id: string }[] };
  const stored: SentRows = new Map();
  for (const { id } of profileTypes) {
    const query = new URLSearchParams({ type: id, selector, format: 'pprof', aggregation: 'sum' });
    const answer = await fetch(`http://${http}/api/v1/merge?${query.toString()}&${range}`);
    if (!answer.ok) throw new Error(`merge of ${id}: ${answer.status} ${await answer.text()}`);
    stored.set(id, readPprof(inflate(new Uint8Array(await answer.arrayBuffer()))).rows(0));
  }
  return stored;
}
