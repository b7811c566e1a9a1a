import { resolve } from 'node:path';
import { openSnapshot } from '../index.js';
import { command, EXIT_OK } from './command.js';
import { bucketOption } from './common-options.js';
import { inspectText, type InspectReport } from './inspect-text.js';

export const inspectCommand = command({
  name: 'inspect',
  summary: 'what a data directory holds, and how many bytes it takes',
  options: {
    data: { type: 'string', default: 'data', placeholder: 'DIR', help: 'data directory' },
    bucket: bucketOption,
    json: { type: 'boolean', default: false, help: 'print JSON' },
  },
  examples: ['basalt inspect --data ./data --json'],
  async run({ io, values }) {
    const snapshot = await openSnapshot({
      dir: resolve(io.workingDirectory, values.data),
      ...(values.bucket === undefined ? {} : { bucket: values.bucket }),
    });
    try {
      const report = (await snapshot.inspect()) as InspectReport;
      await io.out(values.json ? `${JSON.stringify(report, null, 2)}\n` : inspectText(report));
    } finally {
      await snapshot.close();
    }
    return EXIT_OK;
  },
});
