import type { Clock } from '../env/clock.js';
import {
  LATENCY_BOUNDS_S,
  type Cell,
  type Histogram,
  type HistogramCell,
  type MetricsRegistry,
  type NumberMetric,
} from '../base/metrics.js';
import { DiscardedWrites } from './pyroscope/discarded.js';

/** Counts and times calls by protocol and method. Both sets of names are ours, so the label sets are bounded. */
export class RequestMetrics {
  private readonly clock: Clock;
  private readonly requests: NumberMetric;
  private readonly seconds: Histogram;
  private readonly active: Cell;
  /** Of Pyroscope's write side. */
  readonly discarded: DiscardedWrites;

  constructor(metrics: MetricsRegistry, clock: Clock) {
    this.clock = clock;
    this.discarded = new DiscardedWrites(metrics);
    this.requests = metrics.counter({
      name: 'basalt_requests_total',
      help: 'Calls answered, by protocol, method and code.',
      labels: ['protocol', 'method', 'code'],
      labelSetsMax: 500,
    });
    this.seconds = metrics.histogram({
      name: 'basalt_request_seconds',
      help: 'Time from a request to its answer.',
      labels: ['protocol', 'method'],
      bounds: LATENCY_BOUNDS_S,
    });
    this.active = metrics
      .gauge({
        name: 'basalt_requests_active',
        help: 'Calls that are being answered.',
      })
      .cell();
  }

  /** The metrics of one method; keep it. */
  method(protocol: string, method: string): MethodMetrics {
    return new MethodMetrics({
      clock: this.clock,
      active: this.active,
      seconds: this.seconds.cell(protocol, method),
      codeCell: (code) => this.requests.cell(protocol, method, code),
    });
  }
}

interface MethodMetricsOptions {
  readonly clock: Clock;
  readonly active: Cell;
  readonly seconds: HistogramCell;
  readonly codeCell: (code: string) => Cell;
}

export class MethodMetrics {
  private readonly options: MethodMetricsOptions;
  private readonly ok: Cell;

  constructor(options: MethodMetricsOptions) {
    this.options = options;
    this.ok = options.codeCell('ok');
  }

  /** Returns the start to hand to `finished`. */
  started(): number {
    this.options.active.value += 1;
    return this.options.clock.monotonicMs();
  }

  /** `code` is the name of the Connect code, or `ok`. */
  finished(startMs: number, code: string): void {
    this.options.active.value -= 1;
    this.options.seconds.observe((this.options.clock.monotonicMs() - startMs) / 1_000);
    const cell = code === 'ok' ? this.ok : this.options.codeCell(code);
    cell.value += 1;
  }
}
