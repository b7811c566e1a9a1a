import { assert } from './assert.js';

/**
 * A small typed registry of metrics, rendered as Prometheus text (version 0.0.4). Updating a metric costs an addition:
 * look a labelled cell up once with `cell(...)` and keep it where the path is hot.
 *
 * The number of label sets of one metric is bounded: past `labelSetsMax` everything goes to one set whose values are
 * all `other`, so that no caller can fill the memory or the scraper by inventing label values.
 */

/** One number that grows, or goes up and down. */
export interface Cell {
  value: number;
}

export interface MetricOptions {
  /** `basalt_` + what + unit, `_total` for counters. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** Default 100. What gets worse if raised: memory, and the size of each scrape. */
  readonly labelSetsMax?: number;
}

export interface HistogramOptions extends MetricOptions {
  /** Upper bounds, inclusive, ascending; +Inf is added. */
  readonly bounds: readonly number[];
}

const LABEL_SETS_DEFAULT = 100;
const NAME_PATTERN = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Seconds, for calls: 1 ms to 60 s. */
export const LATENCY_BOUNDS_S: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function labelText(names: readonly string[], values: readonly string[]): string {
  return names.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`).join(',');
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

/** The label sets of one metric, bounded. */
class LabelSets<T> {
  private readonly cells = new Map<string, T>();
  private readonly names: readonly string[];
  private readonly countMax: number;
  private readonly create: () => T;

  constructor(options: MetricOptions, create: () => T) {
    this.names = options.labels ?? [];
    this.countMax = options.labelSetsMax ?? LABEL_SETS_DEFAULT;
    this.create = create;
    for (const name of this.names) assert(NAME_PATTERN.test(name), `metric label ${name}`);
    // A metric without labels exists from the start, so that its first scrape says 0.
    if (this.names.length === 0) this.cell([]);
  }

  cell(values: readonly string[]): T {
    assert(values.length === this.names.length, `want ${this.names.length} label values`);
    let key = labelText(this.names, values);
    let cell = this.cells.get(key);
    if (cell !== undefined) return cell;
    if (this.cells.size >= this.countMax) {
      key = labelText(
        this.names,
        this.names.map(() => 'other'),
      );
      cell = this.cells.get(key);
      if (cell !== undefined) return cell;
    }
    cell = this.create();
    this.cells.set(key, cell);
    return cell;
  }

  entries(): IterableIterator<[string, T]> {
    return this.cells.entries();
  }
}

interface Rendered {
  render(out: string[]): void;
}

/** Counters and gauges: one number for each label set. */
export class NumberMetric implements Rendered {
  private readonly sets: LabelSets<Cell>;
  private readonly options: MetricOptions;
  private readonly type: 'counter' | 'gauge';

  constructor(type: 'counter' | 'gauge', options: MetricOptions) {
    this.type = type;
    this.options = options;
    this.sets = new LabelSets<Cell>(options, () => ({ value: 0 }));
  }

  /** The cell of these label values, in the order of `labels`; the caller may keep it. */
  cell(...values: string[]): Cell {
    return this.sets.cell(values);
  }

  render(out: string[]): void {
    const { name, help } = this.options;
    out.push(`# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${this.type}\n`);
    for (const [labels, cell] of this.sets.entries()) {
      out.push(`${name}${braced(labels)} ${numberText(cell.value)}\n`);
    }
  }
}

export class HistogramCell {
  readonly bounds: readonly number[];
  /** Not cumulative; one more than `bounds`. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let i = 0;
    while (i < this.bounds.length && value > (this.bounds[i] as number)) i++;
    this.counts[i] = (this.counts[i] as number) + 1;
    this.sum += value;
  }
}

export class Histogram implements Rendered {
  private readonly sets: LabelSets<HistogramCell>;
  private readonly options: HistogramOptions;

  constructor(options: HistogramOptions) {
    for (let i = 1; i < options.bounds.length; i++) {
      assert(
        (options.bounds[i] as number) > (options.bounds[i - 1] as number),
        `ascending bounds of ${options.name}`,
      );
    }
    this.options = options;
    this.sets = new LabelSets(options, () => new HistogramCell(options.bounds));
  }

  cell(...values: string[]): HistogramCell {
    return this.sets.cell(values);
  }

  render(out: string[]): void {
    const { name, help, bounds } = this.options;
    out.push(`# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} histogram\n`);
    for (const [labels, cell] of this.sets.entries()) {
      const lead = labels === '' ? '' : `${labels},`;
      let cumulative = 0;
      for (let i = 0; i <= bounds.length; i++) {
        cumulative += cell.counts[i] as number;
        const bound = numberText(bounds[i] ?? Number.POSITIVE_INFINITY);
        out.push(`${name}_bucket{${lead}le="${bound}"} ${cumulative}\n`);
      }
      out.push(`${name}_sum${braced(labels)} ${numberText(cell.sum)}\n`);
      out.push(`${name}_count${braced(labels)} ${cumulative}\n`);
    }
  }
}

/** Reads its value when it is rendered. */
class ReadGauge implements Rendered {
  private readonly options: MetricOptions;
  private readonly read: () => number;

  constructor(options: MetricOptions, read: () => number) {
    this.options = options;
    this.read = read;
  }

  render(out: string[]): void {
    const { name, help } = this.options;
    out.push(`# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} gauge\n`);
    out.push(`${name} ${numberText(this.read())}\n`);
  }
}

export class MetricsRegistry {
  private readonly metrics = new Map<string, Rendered>();

  counter(options: MetricOptions): NumberMetric {
    return this.add(options.name, new NumberMetric('counter', options));
  }

  gauge(options: MetricOptions): NumberMetric {
    return this.add(options.name, new NumberMetric('gauge', options));
  }

  /** A gauge without labels whose value is read at each scrape. */
  gaugeOf(options: MetricOptions, read: () => number): void {
    this.add(options.name, new ReadGauge(options, read));
  }

  histogram(options: HistogramOptions): Histogram {
    return this.add(options.name, new Histogram(options));
  }

  /** Prometheus text, metrics sorted by name. */
  render(): string {
    const out: string[] = [];
    const names = [...this.metrics.keys()].sort();
    for (const name of names) this.metrics.get(name)?.render(out);
    return out.join('');
  }

  private add<T extends Rendered>(name: string, metric: T): T {
    assert(NAME_PATTERN.test(name), `metric name ${name}`);
    assert(!this.metrics.has(name), `metric ${name} is registered twice`);
    this.metrics.set(name, metric);
    return metric;
  }
}
