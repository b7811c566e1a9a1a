// A program under Pyroscope's agent for Node: burns under two values of a dynamic tag, allocates, sends, and ends.
// Arguments: the folder in which the agent is installed, the server's address, seconds.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [installed, serverAddress, seconds] = process.argv.slice(2);
const require = createRequire(join(installed, 'package.json'));
const Pyroscope = require('@pyroscope/nodejs');

Pyroscope.init({
  serverAddress,
  appName: 'interop.node',
  tags: { region: 'eu/west', pod: 'pod 1 (a)' },
  flushIntervalMs: 1_000,
  wall: { collectCpuTime: true, samplingDurationMs: 1_000, samplingIntervalMicros: 5_000 },
  heap: { samplingIntervalBytes: 16_384, stackDepth: 64 },
});
Pyroscope.start();

const kept = [];
function allocate() {
  for (let i = 0; i < 500; i++) kept.push(new Array(200).fill(i));
}

function burn(ms) {
  const end = Date.now() + ms;
  let sum = 0;
  while (Date.now() < end) for (let i = 0; i < 1e5; i++) sum += i * i;
  return sum;
}

const endMs = Date.now() + Number(seconds) * 1_000;
while (Date.now() < endMs) {
  for (const vehicle of ['car', 'bike']) {
    Pyroscope.wrapWithLabels({ vehicle }, () => burn(100));
  }
  allocate();
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await Pyroscope.stop();
