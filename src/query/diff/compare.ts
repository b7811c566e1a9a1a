/** Two selections function by function: what changed, by how much, and whether that is more than noise. */
import type { DiffFunction, TopTable } from '../api.js';
import type { FunctionNumbers, Moments } from './moments.js';
import { discoveries, welchP } from './statistics.js';

export interface ComparedSide {
  readonly top: TopTable;
  readonly moments: Moments;
}

interface Sums {
  readonly self: bigint;
  readonly total: bigint;
}

interface Row {
  readonly functionName: string;
  readonly fileName: string;
  readonly number: number;
  base: Sums;
  other: Sums;
}

const NOTHING: Sums = { self: 0n, total: 0n };

/** All functions of either side; those whose own share changed the most come first. */
export function compareSides(
  base: ComparedSide,
  other: ComparedSide,
  settings: { readonly numbers: FunctionNumbers; readonly rate: number },
): readonly DiffFunction[] {
  const rows = rowsOf(base.top, other.top, settings.numbers);
  const p = (kind: 'self' | 'total'): readonly (number | undefined)[] =>
    rows.map(({ number }) =>
      repeatable(welchP(base.moments.estimate(number, kind), other.moments.estimate(number, kind))),
    );
  const selfP = p('self');
  const totalP = p('total');
  const isSelf = discoveries(selfP, settings.rate);
  const isTotal = discoveries(totalP, settings.rate);
  const functions = rows.map(
    ({ functionName, fileName, number, base: b, other: o }, i): DiffFunction => ({
      functionName,
      fileName,
      base: { ...b, ...base.moments.countsOf(number) },
      other: { ...o, ...other.moments.countsOf(number) },
      selfChange: shareOf(o.self, other.top.total) - shareOf(b.self, base.top.total),
      totalChange: shareOf(o.total, other.top.total) - shareOf(b.total, base.top.total),
      selfP: selfP[i],
      totalP: totalP[i],
      isSelfSignificant: isSelf[i] === true,
      isTotalSignificant: isTotal[i] === true,
    }),
  );
  return functions.sort(bySize);
}

const P_DIGITS = 9;

/** The last digits depend on the order in which profiles are stored, which compaction changes. */
function repeatable(p: number | undefined): number | undefined {
  return p === undefined ? undefined : Number(p.toPrecision(P_DIGITS));
}

function rowsOf(base: TopTable, other: TopTable, numbers: FunctionNumbers): readonly Row[] {
  const rows = new Map<number, Row>();
  for (const [side, { functions }] of [
    ['base', base],
    ['other', other],
  ] as const) {
    for (const { functionName, fileName, self, total } of functions) {
      const number = numbers.of(functionName, fileName);
      const row = rows.get(number) ?? {
        functionName,
        fileName,
        number,
        base: NOTHING,
        other: NOTHING,
      };
      rows.set(number, row);
      row[side] = { self, total };
    }
  }
  return [...rows.values()];
}

/** To some 15 digits. */
function shareOf(part: bigint, whole: bigint): number {
  return whole === 0n ? 0 : Number(part) / Number(whole);
}

function bySize(a: DiffFunction, b: DiffFunction): number {
  return (
    Math.abs(b.selfChange) - Math.abs(a.selfChange) ||
    Math.abs(b.totalChange) - Math.abs(a.totalChange) ||
    compareText(a.functionName, b.functionName) ||
    compareText(a.fileName, b.fileName)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
