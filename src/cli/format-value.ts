/** A value with its unit as people read it: `1.50 s`, `12.3 MiB`, `1,234 samples`. */
export function formatValue(value: bigint, unit: string): string {
  const number = Number(value);
  switch (unit) {
    case 'nanoseconds':
      return durationText(number);
    case 'microseconds':
      return durationText(number * 1e3);
    case 'milliseconds':
      return durationText(number * 1e6);
    case 'seconds':
      return durationText(number * 1e9);
    case 'bytes':
      return bytesText(number);
    default:
      return value.toLocaleString('en-US');
  }
}

function durationText(ns: number): string {
  const size = Math.abs(ns);
  if (size >= 3_600e9) return `${(ns / 3_600e9).toFixed(2)} h`;
  if (size >= 60e9) return `${(ns / 60e9).toFixed(2)} min`;
  if (size >= 1e9) return `${(ns / 1e9).toFixed(2)} s`;
  if (size >= 1e6) return `${(ns / 1e6).toFixed(2)} ms`;
  if (size >= 1e3) return `${(ns / 1e3).toFixed(2)} us`;
  return `${ns} ns`;
}

export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let i = 0;
  while (Math.abs(value) >= 1_024 && i < units.length - 1) {
    value /= 1_024;
    i += 1;
  }
  return i === 0 ? `${bytes} B` : `${value.toFixed(2)} ${units[i]}`;
}
