import { command, EXIT_OK } from './command.js';
import { inspectText } from './inspect-text.js';
import { BUCKET_OPTIONS, storePlace } from './store-location.js';

export const inspectCommand = command({
  name: 'inspect',
  summary: 'what a data directory holds, and how many bytes it takes',
  options: {
    data: { type: 'string', default: 'data', placeholder: 'DIR', help: 'data directory' },
    ...BUCKET_OPTIONS,
    json: { type: 'boolean', default: false, help: 'print JSON' },
  },
  examples: ['basalt inspect --data ./data --json'],
  async run({ io, values }) {
    const { openSnapshot } = await import('../index.js');
    const snapshot = await openSnapshot(storePlace(io, values.data, values));
    try {
      const report = await snapshot.inspect();
      await io.out(values.json ? `${JSON.stringify(report, null, 2)}\n` : inspectText(report));
    } finally {
      await snapshot.close();
    }
    return EXIT_OK;
  },
});
