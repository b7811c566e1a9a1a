import { resolve } from 'node:path';
import type { CommandIo } from './command.js';
import type { ListOption, StringOption } from './option.js';

/** Options that say where the blocks lie, for every command that opens a store itself. */
export const BUCKET_OPTIONS = {
  bucket: {
    type: 'string',
    placeholder: 's3://BUCKET/PREFIX',
    help: 'where the blocks lie; without it in --data',
  },
  's3-endpoint': {
    type: 'string',
    placeholder: 'URL',
    help: 'S3 server other than AWS; credentials come from the usual AWS_… variables and files',
  },
  's3-region': { type: 'string', help: 'region of the bucket; else AWS_REGION, us-east-1' },
} as const satisfies Readonly<Record<string, StringOption>>;

/** Options of commands that compact. */
export const ROLLUP_OPTIONS = {
  'rollup-label': {
    type: 'list',
    placeholder: 'NAME',
    help: 'a label that rollups keep, in place of service_name, namespace, version, environment, region',
  },
} as const satisfies Readonly<Record<string, ListOption>>;

export function rollupLabels(values: { readonly 'rollup-label': readonly string[] }): {
  readonly rollupLabels?: readonly string[];
} {
  const names = values['rollup-label'];
  return names.length === 0 ? {} : { rollupLabels: names };
}

export interface BucketValues {
  readonly bucket: string | undefined;
  readonly 's3-endpoint': string | undefined;
  readonly 's3-region': string | undefined;
}

/** The place of a store as `openStore` and `openSnapshot` take it. */
export interface StorePlace {
  readonly dir: string;
  readonly bucket?: string;
  readonly s3?: { readonly endpoint?: string; readonly region?: string };
}

export function storePlace(io: CommandIo, data: string, values: BucketValues): StorePlace {
  const { bucket } = values;
  const endpoint = values['s3-endpoint'];
  const region = values['s3-region'];
  return {
    dir: resolve(io.workingDirectory, data),
    ...(bucket === undefined ? {} : { bucket }),
    ...(endpoint === undefined && region === undefined
      ? {}
      : {
          s3: {
            ...(endpoint === undefined ? {} : { endpoint }),
            ...(region === undefined ? {} : { region }),
          },
        }),
  };
}
