/** One JSON line a figure, with its ratio to a stated limit or peer: what every benchmark prints. */
import { readFileSync } from 'node:fs';

export interface Comparison {
  /** What the figure is compared with: `budget`, `pyroscope`, `gunzip alone`, ... */
  readonly to: string;
  readonly value: number;
}

export interface FigureLine {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly compare?: readonly Comparison[];
  readonly detail?: Readonly<Record<string, unknown>>;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

export function printFigure(line: FigureLine): void {
  const ratios = Object.fromEntries(
    (line.compare ?? []).map(({ to, value }) => [
      `ratio_to_${to.replaceAll(' ', '_')}`,
      rounded(line.value / value),
    ]),
  );
  console.log(
    JSON.stringify({
      figure: line.figure,
      value: rounded(line.value),
      unit: line.unit,
      ...ratios,
      ...line.detail,
    }),
  );
}

export const isQuick = process.argv.includes('--quick');

/** CPU seconds that a process has used, all threads (Linux). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Greatest and current resident memory of a process in MB (Linux). */
export function memoryMb(pid: number): { peak: number; now: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024;
  return { peak: of('VmHWM'), now: of('VmRSS') };
}
