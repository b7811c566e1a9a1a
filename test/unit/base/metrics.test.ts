import { describe, expect, it } from 'vitest';
import { MetricsRegistry } from '../../../src/base/metrics.js';

describe('MetricsRegistry', () => {
  it('renders counters, gauges and histograms as Prometheus text', () => {
    const registry = new MetricsRegistry();
    const calls = registry.counter({
      name: 'calls_total',
      help: 'Calls\nall.',
      labels: ['method', 'code'],
    });
    calls.cell('a', 'ok').value += 2;
    calls.cell('b"\\\n', 'ok').value += 1;
    registry.gauge({ name: 'open', help: 'Open.' });
    registry.gaugeOf({ name: 'a_read', help: 'Read.' }, () => 2.5);
    const seconds = registry.histogram({ name: 'seconds', help: 'Time.', bounds: [0.1, 1] });
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.cell().observe(value);
    expect(registry.render()).toBe(
      [
        '# HELP a_read Read.',
        '# TYPE a_read gauge',
        'a_read 2.5',
        '# HELP calls_total Calls\\nall.',
        '# TYPE calls_total counter',
        'calls_total{method="a",code="ok"} 2',
        'calls_total{method="b\\"\\\\\\n",code="ok"} 1',
        '# HELP open Open.',
        '# TYPE open gauge',
        'open 0',
        '# HELP seconds Time.',
        '# TYPE seconds histogram',
        'seconds_bucket{le="0.1"} 2',
        'seconds_bucket{le="1"} 3',
        'seconds_bucket{le="+Inf"} 4',
        'seconds_sum 7.65',
        'seconds_count 4',
        '',
      ].join('\n'),
    );
  });

  it('bounds the label sets of a metric (I6)', () => {
    const registry = new MetricsRegistry();
    const calls = registry.counter({ name: 'c', help: 'C.', labels: ['tenant'], labelSetsMax: 3 });
    for (let i = 0; i < 50; i++) calls.cell(`t${i}`).value += 1;
    const lines = registry
      .render()
      .split('\n')
      .filter((line) => line.startsWith('c{'));
    expect(lines).toEqual([
      'c{tenant="t0"} 1',
      'c{tenant="t1"} 1',
      'c{tenant="t2"} 1',
      'c{tenant="other"} 47',
    ]);
  });

  it('refuses a name twice and a wrong number of labels', () => {
    const registry = new MetricsRegistry();
    const metric = registry.counter({ name: 'c', help: 'C.', labels: ['a'] });
    expect(() => registry.gauge({ name: 'c', help: 'C.' })).toThrow(/registered twice/);
    expect(() => metric.cell('x', 'y')).toThrow(/label values/);
  });
});
