import { corrupt } from '../base/errors.js';
import type { ProfileMetadata } from './segment-view.js';

export const NO_METADATA: ProfileMetadata = {
  comments: [],
  dropFrames: '',
  keepFrames: '',
  defaultSampleType: '',
  docUrl: '',
};

/** Exact text of a profile's metadata; the empty string for none. */
export function metadataText(metadata: ProfileMetadata): string {
  const { comments, dropFrames, keepFrames, defaultSampleType, docUrl } = metadata;
  if (comments.length === 0 && dropFrames + keepFrames + defaultSampleType + docUrl === '')
    return '';
  return JSON.stringify([comments, dropFrames, keepFrames, defaultSampleType, docUrl]);
}

/** The inverse. Throws `corrupt` PS_SEGMENT_METADATA. */
export function metadataFromText(text: string): ProfileMetadata {
  if (text === '') return NO_METADATA;
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.length === 5) {
      const [comments, ...rest] = value as unknown[];
      if (Array.isArray(comments) && [...comments, ...rest].every((t) => typeof t === 'string')) {
        const [dropFrames, keepFrames, defaultSampleType, docUrl] = rest as [
          string,
          string,
          string,
          string,
        ];
        return {
          comments: comments as string[],
          dropFrames,
          keepFrames,
          defaultSampleType,
          docUrl,
        };
      }
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw corrupt(
    'PS_SEGMENT_METADATA',
    `cannot read metadata of a profile: got ${JSON.stringify(text.slice(0, 128))}; want five parts`,
  );
}
