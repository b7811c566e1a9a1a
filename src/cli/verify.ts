import { command, EXIT_FAILED, EXIT_OK } from './command.js';
import { BUCKET_OPTIONS, storePlace } from './store-location.js';

export const verifyCommand = command({
  name: 'verify',
  summary: 'check every checksum and invariant; exit 1 and one line for each finding',
  options: {
    data: { type: 'string', default: 'data', placeholder: 'DIR', help: 'data directory' },
    ...BUCKET_OPTIONS,
  },
  examples: ['basalt verify --data ./data'],
  async run({ io, values }) {
    const { openSnapshot } = await import('../index.js');
    const snapshot = await openSnapshot(storePlace(io, values.data, values));
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
