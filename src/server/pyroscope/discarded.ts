/** Profiles that were refused, under the names that Pyroscope gives the reasons, so that its dashboards show them. */
import { StoreError } from '../../base/errors.js';
import type { MetricsRegistry, NumberMetric } from '../../base/metrics.js';

const REASONS: ReadonlyMap<string, string> = new Map([
  ['PS_BODY_SIZE', 'body_size_limit_exceeded'],
  ['PS_INGEST_NAME', 'missing_labels'],
  ['PS_LABELS_COUNT', 'max_label_names_per_series'],
  ['PS_LABELS_DUPLICATE', 'duplicate_label_names'],
  ['PS_LABELS_LENGTH', 'label_value_too_long'],
  ['PS_LABELS_NAME', 'invalid_labels'],
  ['PS_LABELS_NAME_LENGTH', 'label_name_too_long'],
  ['PS_PPROF_TOO_LARGE', 'profile_size_limit'],
  ['PS_PROFILE_EXPIRED', 'not_in_ingestion_window'],
  ['PS_PROFILE_FUTURE', 'not_in_ingestion_window'],
  ['PS_PROFILE_TIME', 'not_in_ingestion_window'],
  ['PS_STACKS_TOO_LARGE', 'profile_size_limit'],
]);

/** Undefined for what is no fault of the profile: it may be sent again. */
export function discardReason(error: unknown): string | undefined {
  const { code, kind } = StoreError.from(error);
  const known = REASONS.get(code);
  if (known !== undefined) return known;
  if (kind === 'limit') return 'ingest_limit_reached';
  return kind === 'invalid' || kind === 'corrupt' ? 'malformed_profile' : undefined;
}

export class DiscardedWrites {
  readonly #bytes: NumberMetric;
  readonly #profiles: NumberMetric;

  constructor(metrics: MetricsRegistry) {
    const labels = ['reason', 'tenant'];
    this.#bytes = metrics.counter({
      name: 'pyroscope_discarded_bytes_total',
      help: 'Bytes of profiles that were refused, as they came.',
      labels,
    });
    this.#profiles = metrics.counter({
      name: 'pyroscope_discarded_samples_total',
      help: 'Profiles that were refused, under the name that Pyroscope gives them.',
      labels,
    });
  }

  note(tenantId: string, error: unknown, sizeBytes: number): void {
    const reason = discardReason(error);
    if (reason === undefined) return;
    this.#bytes.cell(reason, tenantId).value += sizeBytes;
    this.#profiles.cell(reason, tenantId).value += 1;
  }
}
