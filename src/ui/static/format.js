/** Values as people read them. Sums arrive as decimal strings of 64 bits; for a picture doubles are enough. */

const DURATION_NS = { nanoseconds: 1, microseconds: 1e3, milliseconds: 1e6, seconds: 1e9 };

export function formatValue(value, unit) {
  const toNs = DURATION_NS[unit];
  if (toNs !== undefined) return formatDuration(value * toNs);
  if (unit === 'bytes') return formatBytes(value);
  return `${shorten(value)} ${unit}`;
}

function formatDuration(ns) {
  const size = Math.abs(ns);
  if (size >= 3600e9) return `${(ns / 3600e9).toFixed(2)} h`;
  if (size >= 60e9) return `${(ns / 60e9).toFixed(2)} min`;
  if (size >= 1e9) return `${(ns / 1e9).toFixed(2)} s`;
  if (size >= 1e6) return `${(ns / 1e6).toFixed(2)} ms`;
  if (size >= 1e3) return `${(ns / 1e3).toFixed(2)} µs`;
  return `${Math.round(ns)} ns`;
}

function formatBytes(bytes) {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (Math.abs(value) < 1024) return `${unit === 'B' ? value : value.toFixed(2)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(2)} TiB`;
}

function shorten(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (size >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}

export function formatPercent(part, total) {
  return total === 0 ? '–' : `${((100 * part) / total).toFixed(2)} %`;
}

export function formatTime(ms, rangeMs) {
  const day = 86_400_000;
  const options =
    rangeMs > day
      ? { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' }
      : { hour: '2-digit', minute: '2-digit', second: rangeMs < 3_600_000 ? '2-digit' : undefined };
  return new Date(ms).toLocaleString(undefined, { ...options, hour12: false });
}

export function formatLabels(labels) {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

/** For `<input type="datetime-local">`, in the reader's time zone. */
export function toLocalInput(ms) {
  const date = new Date(ms);
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
