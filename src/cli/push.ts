import { resolve } from 'node:path';
import { invalid } from '../base/errors.js';
import type { Temporality } from '../model/series.js';
import { command, EXIT_FAILED, EXIT_OK, type CommandIo } from './command.js';
import { labelOption, serverOption, temporalityOption, tenantOption } from './common-options.js';
import { openSink, parseLabel, type ProfileSink } from './profile-sink.js';
import { readProfile } from './read-profile.js';

export const pushCommand = command({
  name: 'push',
  summary: 'send profile files to a server',
  positionals: 'FILE…',
  options: {
    label: labelOption,
    server: serverOption,
    tenant: tenantOption,
    temporality: temporalityOption,
  },
  examples: [
    'basalt push cpu.pb.gz --label service_name=api --label version=1.2',
    'basalt push *.cpuprofile --label service_name=web --server http://profiles:4040',
  ],
  async run({ io, values, positionals }) {
    if (positionals.length === 0) {
      throw invalid('PS_CLI_ARGUMENTS', 'cannot push: got no file; want 1 or more');
    }
    const labels = values.label.map(parseLabel);
    const { server, tenant } = values;
    const temporality = values.temporality as Temporality | undefined;
    const sink = await openSink(io, {
      server,
      tenant,
      data: undefined,
      bucket: undefined,
      's3-endpoint': undefined,
      's3-region': undefined,
    });
    let code = EXIT_OK;
    try {
      for (const name of positionals) {
        const sent = await pushFile(io, sink, name, { labels, temporality });
        if (!sent) code = EXIT_FAILED;
      }
    } finally {
      await sink.close();
    }
    return code;
  },
});

interface PushOptions {
  readonly labels: ReturnType<typeof parseLabel>[];
  readonly temporality: Temporality | undefined;
}

/** One bad file does not keep the others from being sent; false when this one was not. */
async function pushFile(
  io: CommandIo,
  sink: ProfileSink,
  name: string,
  options: PushOptions,
): Promise<boolean> {
  try {
    const path = resolve(io.workingDirectory, name);
    const body = await readProfile(io.files, path, io.clock.nowMs());
    const result = await sink.write({ ...options, body });
    await io.out(`${name}: ${result.profiles} profiles, ${result.samples} samples\n`);
    for (const rejection of result.rejections) io.err(`${name}: ${rejection}\n`);
    return true;
  } catch (error) {
    io.signal.throwIfAborted();
    io.err(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}
