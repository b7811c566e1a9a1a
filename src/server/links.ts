import { invalid } from '../base/errors.js';
import { SERVICE_NAME } from '../model/labels.js';
import type { ProfileItem } from '../query/api.js';

/**
 * Links from a span to where its trace and its log lines are shown: a URL with names in braces, which the values of a
 * span take the place of.
 */
export interface LinkTemplates {
  /** For example `https://tempo.example/trace/{traceId}`. */
  readonly trace?: string | undefined;
  readonly log?: string | undefined;
}

const PLACEHOLDER = /\{([A-Za-z]*)\}/g;
const LEAD_MS = 60_000;

/** Around the profile's start, since a span is known to lie in it and no more. */
const VALUES: Readonly<Record<string, (item: ProfileItem) => string>> = {
  traceId: (item) => item.traceId,
  spanId: (item) => item.spanId,
  service: (item) => item.labels[SERVICE_NAME] ?? '',
  startMs: (item) => String(item.startMs - LEAD_MS),
  endMs: (item) => String(item.startMs + LEAD_MS),
};

/** Throws `invalid` PS_LINK for a template with an unknown name, or one that is no URL or path. */
export function checkLinkTemplates(templates: LinkTemplates): void {
  for (const [name, template] of Object.entries(templates)) {
    if (template === undefined) continue;
    const unknown = [...String(template).matchAll(PLACEHOLDER)].find(
      ([, key]) => !Object.hasOwn(VALUES, key ?? ''),
    );
    const isUrl = /^(?:https?:\/\/|\/)/.test(String(template));
    if (unknown === undefined && isUrl) continue;
    const want = `https://... with ${Object.keys(VALUES)
      .map((key) => `{${key}}`)
      .join(', ')}`;
    throw invalid(
      'PS_LINK',
      `cannot make ${name} links: got ${JSON.stringify(String(template).slice(0, 256))}; want ${want}`,
    );
  }
}

/** The links of one span; none where a value that a template needs is missing. */
export function linksOf(item: ProfileItem, templates: LinkTemplates): Record<string, string> {
  const links: Record<string, string> = {};
  for (const [name, template] of Object.entries(templates)) {
    if (template === undefined) continue;
    let isWhole = true;
    const url = String(template).replace(PLACEHOLDER, (_, key: string) => {
      const value = VALUES[key]?.(item) ?? '';
      if (value === '') isWhole = false;
      return encodeURIComponent(value);
    });
    if (isWhole) links[name] = url;
  }
  return links;
}
