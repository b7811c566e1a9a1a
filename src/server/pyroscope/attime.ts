/**
 * Times as Pyroscope's agents and tools write them in a URL: unix seconds, milliseconds, microseconds or nanoseconds,
 * told apart by size; `YYYYMMDD`; `now`, `now-1h`.
 */
import { invalid } from '../../base/errors.js';
import { parseRfc3339 } from '../http-times.js';

const NS_PER_MS = 1_000_000n;
const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  M: 30 * 86_400_000,
  mon: 30 * 86_400_000,
  y: 365 * 86_400_000,
};
const RELATIVE = /^now(?:-(\d{1,9})(s|min|mon|m|h|d|w|M|y)[a-z]*)?$/;
const DAY = /^(\d{4})(\d{2})(\d{2})$/;

/** Unix nanoseconds of parameter `name`. Throws `invalid` PS_TIME. */
export function parseAttime(name: string, text: string, nowMs: number): bigint {
  const day = DAY.exec(text);
  if (day !== null) {
    const ms = parseRfc3339(`${day[1]}-${day[2]}-${day[3]}T00:00:00Z`);
    if (ms !== undefined) return BigInt(ms) * NS_PER_MS;
  }
  if (/^\d{1,19}$/.test(text)) {
    const number = BigInt(text);
    if (text.length <= 11) return number * 1_000_000_000n;
    if (text.length <= 14) return number * NS_PER_MS;
    return text.length <= 17 ? number * 1_000n : number;
  }
  const relative = RELATIVE.exec(text);
  if (relative !== null) {
    const agoMs = Number(relative[1] ?? 0) * (UNIT_MS[relative[2] ?? 's'] ?? 0);
    return BigInt(Math.max(0, Math.floor(nowMs) - agoMs)) * NS_PER_MS;
  }
  throw invalid(
    'PS_TIME',
    `cannot read time ${name}: got ${JSON.stringify(text.slice(0, 64))}; want unix time, YYYYMMDD, now or now-1h`,
  );
}
