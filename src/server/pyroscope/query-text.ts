import { invalid } from '../../base/errors.js';
import { parseProfileType } from '../../model/profile-type.js';
import { parseSelector } from '../../model/selector.js';

export interface QueryText {
  readonly profileType: string;
  readonly selector: string;
}

/** `process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="api"}`; the braces may be missing. Throws `invalid`. */
export function parseQuery(text: string): QueryText {
  const trimmed = text.trim();
  if (trimmed === '') {
    throw invalid('PS_PARAMETER_MISSING', 'cannot query: got no query; want type{selector}');
  }
  const brace = trimmed.indexOf('{');
  const profileType = (brace < 0 ? trimmed : trimmed.slice(0, brace)).trim();
  const selector = brace < 0 ? '{}' : trimmed.slice(brace);
  parseProfileType(profileType);
  parseSelector(selector);
  return { profileType, selector };
}
