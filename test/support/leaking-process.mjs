// Keeps what it makes until its heap is full, and sends a profile of it after each round: argument 1 is where to.
import { Session } from 'node:inspector/promises';
import { heapProfileToPprof } from '../../dist/formats/v8/heapprofile.js';

const INTERVAL_BYTES = 4_096;
const session = new Session();
session.connect();
await session.post('HeapProfiler.startSampling', { samplingInterval: INTERVAL_BYTES });
const kept = [];

function keepOrders() {
  for (let i = 0; i < 10_000; i++) kept.push({ id: i, text: `order ${i} of ${Math.random()}` });
}

for (;;) {
  keepOrders();
  const { profile } = await session.post('HeapProfiler.getSamplingProfile');
  const body = heapProfileToPprof(profile, {
    timeNs: BigInt(Date.now()) * 1_000_000n,
    samplingIntervalBytes: BigInt(INTERVAL_BYTES),
  });
  const response = await fetch(process.argv[2], { method: 'POST', body });
  if (!response.ok) throw new Error(await response.text());
  process.stdout.write('.');
}
