import { invalid } from '../base/errors.js';

/** Times and durations as people write them: unix milliseconds, RFC 3339, `now-1h`; `15s`, `1h30m`. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const DURATION_PATTERN = /^(?:\d{1,12}(?:ms|s|m|h|d|w))+$/;
const DURATION_PART = /(\d+)(ms|s|m|h|d|w)/g;
const RFC3339_PATTERN =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;
const NOW_PATTERN = /^now(?:-(.{1,64}))?$/;

/** Unix milliseconds, or undefined when `text` is no such time. */
export function parseRfc3339(text: string): number | undefined {
  const match = RFC3339_PATTERN.exec(text);
  if (match === null) return undefined;
  const part = (i: number): number => Number(match[i] ?? 0);
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(part) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  // A leap second is read as the first of the next minute.
  if (month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60 || part(10) > 23 || part(11) > 59) return undefined;
  const ms = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1_000);
  const seconds = (daysSinceEpoch(year, month, day) * 24 + hour) * 3_600 + minute * 60 + second;
  const offsetMinutes = (match[9] === '-' ? -1 : 1) * (part(10) * 60 + part(11));
  return (seconds - offsetMinutes * 60) * 1_000 + ms;
}

function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function daysOfMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 in the Gregorian calendar; years count from March, so that the leap day comes last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return y * 365 + leapDays + dayOfYear - 719_468;
}

/** Milliseconds, or undefined when `text` is no duration. */
function durationMs(text: string): number | undefined {
  if (text.length > 64 || !DURATION_PATTERN.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(DURATION_PART)) {
    total += Number(count) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return Number.isSafeInteger(total) ? total : undefined;
}

/** Unix milliseconds of the time in parameter `name`. Throws `invalid` PS_TIME. */
export function parseTime(name: string, text: string, nowMs: number): number {
  if (/^-?\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  const relative = NOW_PATTERN.exec(text);
  if (relative !== null) {
    const ago = relative[1] === undefined ? 0 : durationMs(relative[1]);
    if (ago !== undefined) return Math.floor(nowMs) - ago;
  }
  const ms = parseRfc3339(text);
  if (ms !== undefined) return ms;
  const shown = JSON.stringify(text.slice(0, 64));
  throw invalid(
    'PS_TIME',
    `cannot read time ${name}: got ${shown}; want unix milliseconds, RFC 3339, or now-1h (units ms, s, m, h, d, w)`,
  );
}

/** Milliseconds of the duration in parameter `name`: a number, or `15s`. Throws `invalid` PS_DURATION. */
export function parseDuration(name: string, text: string): number {
  const ms = /^\d{1,16}$/.test(text) ? Number(text) : durationMs(text);
  if (ms !== undefined && Number.isSafeInteger(ms) && ms > 0) return ms;
  const shown = JSON.stringify(text.slice(0, 64));
  throw invalid(
    'PS_DURATION',
    `cannot read duration ${name}: got ${shown}; want milliseconds above 0, or 15s, 1h30m (units ms, s, m, h, d, w)`,
  );
}

const STEPS_MS = [
  1_000, 5_000, 10_000, 15_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 21_600_000,
  86_400_000,
];
const POINTS_WANTED = 300;

/** The smallest handsome step that makes at most 300 points of a range. */
export function defaultStepMs(startMs: number, endMs: number): number {
  const least = (endMs - startMs) / POINTS_WANTED;
  return STEPS_MS.find((step) => step >= least) ?? Math.ceil(least / 86_400_000) * 86_400_000;
}
