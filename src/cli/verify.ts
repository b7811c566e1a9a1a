import { resolve } from 'node:path';
import { openSnapshot } from '../index.js';
import { command, EXIT_FAILED, EXIT_OK } from './command.js';
import { bucketOption } from './common-options.js';

export const verifyCommand = command({
  name: 'verify',
  summary: 'check every checksum and invariant; exit 1 and one line for each finding',
  options: {
    data: { type: 'string', default: 'data', placeholder: 'DIR', help: 'data directory' },
    bucket: bucketOption,
  },
  examples: ['basalt verify --data ./data'],
  async run({ io, values }) {
    const snapshot = await openSnapshot({
      dir: resolve(io.workingDirectory, values.data),
      ...(values.bucket === undefined ? {} : { bucket: values.bucket }),
    });
    try {
      const findings = await snapshot.verify();
      for (const finding of findings) {
        await io.out(`${finding.part}: ${finding.code} ${finding.message}\n`);
      }
      if (findings.length > 0) return EXIT_FAILED;
      await io.out('no findings\n');
      return EXIT_OK;
    } finally {
      await snapshot.close();
    }
  },
});
