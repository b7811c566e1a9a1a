/**
 * `sample_type_config` of a multipart request: JSON, by sample type `units`, `aggregation`, `display-name`, `sampled`,
 * `cumulative`. The profile says its own types and units; what it cannot say is whether a profile of `contentions` and
 * `delay` is one of mutexes or of blocking, and that its values are counters.
 */
import { invalid } from '../../base/errors.js';

export interface SampleTypeConfig {
  /** Empty when the profile's types tell it. */
  readonly profileName: string;
  /** By sample type, where the sender says whether it is a counter. */
  readonly cumulative: ReadonlyMap<string, boolean>;
}

const NOTHING: SampleTypeConfig = { profileName: '', cumulative: new Map() };
const CONFIG_BYTES_MAX = 64 << 10;

/** Throws `invalid` PS_INGEST_CONFIG. */
export function readSampleTypeConfig(bytes: Uint8Array | undefined): SampleTypeConfig {
  if (bytes === undefined || bytes.length === 0) return NOTHING;
  if (bytes.length > CONFIG_BYTES_MAX) throw broken(`${bytes.length} bytes`, `${CONFIG_BYTES_MAX}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw broken(error instanceof Error ? error.message : String(error), 'JSON');
  }
  if (parsed === null) return NOTHING;
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw broken('no object', 'an object');
  let profileName = '';
  const flags = new Map<string, boolean>();
  for (const [type, config] of Object.entries(parsed) as [string, unknown][]) {
    if (config === null || typeof config !== 'object') continue;
    const { 'display-name': display, cumulative } = config as Record<string, unknown>;
    const found = /^(mutex|block)_/.exec(typeof display === 'string' ? display : '');
    profileName = found?.[1] ?? profileName;
    if (typeof cumulative === 'boolean') flags.set(type, cumulative);
  }
  return { profileName, cumulative: flags };
}

function broken(got: string, want: string): Error {
  return invalid('PS_INGEST_CONFIG', `cannot read sample_type_config: got ${got}; want ${want}`);
}
