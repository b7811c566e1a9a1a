/** Tests of one frame, each text looked at once: names are few, frames and stacks are many. */
import { type Frame, frameName } from './frame.js';
import { compileSearchRegex } from './safe-regex.js';

export type FrameTest = (frame: Frame) => boolean;
export type TextTest = (text: string) => boolean;

/** What a frame has to say for each field of a pattern. */
export const FRAME_FIELDS: Readonly<Record<string, (frame: Frame) => string>> = {
  name: frameName,
  function: (frame) => frame.functionName,
  system: (frame) => frame.systemName,
  file: (frame) => frame.fileName,
  mapping: (frame) => frame.mappingFile,
  line: (frame) => String(frame.line),
  address: (frame) => `0x${frame.address.toString(16)}`,
};

/** By operator; longer operators first, so that a reader takes the longest. */
export const FRAME_OPERATORS: Readonly<
  Record<string, (value: string, ignoresCase: boolean) => TextTest>
> = {
  '!*=': (value, ignoresCase) => not(contains(value, ignoresCase)),
  '*=': contains,
  '=~': (value, ignoresCase) => searchTest(value, ignoresCase),
  '!~': (value, ignoresCase) => not(searchTest(value, ignoresCase)),
  '!=': (value, ignoresCase) => not(equals(value, ignoresCase)),
  '=': equals,
};

function not(test: TextTest): TextTest {
  return (text) => !test(text);
}

function equals(value: string, ignoresCase: boolean): TextTest {
  const wanted = ignoresCase ? value.toLowerCase() : value;
  return (text) => (ignoresCase ? text.toLowerCase() : text) === wanted;
}

function contains(value: string, ignoresCase: boolean): TextTest {
  const wanted = ignoresCase ? value.toLowerCase() : value;
  return (text) => (ignoresCase ? text.toLowerCase() : text).includes(wanted);
}

/** Whether a part of the text matches. Throws `invalid` PS_REGEX_*. */
export function searchTest(pattern: string, ignoresCase = false): TextTest {
  return remembered(compileSearchRegex(pattern, ignoresCase).test);
}

function remembered(test: TextTest): TextTest {
  const known = new Map<string, boolean>();
  return (text) => {
    let result = known.get(text);
    if (result === undefined) {
      result = test(text);
      known.set(text, result);
    }
    return result;
  };
}
