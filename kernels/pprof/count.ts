/**
 * How much room the columns of a profile need, at most: a look at the tags and lengths of its messages, for one that did
 * not find room in what there was.
 */
import * as L from '../../src/formats/pprof/kernel-layout';
import { slot } from '../memory';
import * as C from './columns';
import { number, readLength, readVarint, skipField } from './wire';

let entries: i64 = 0;
let values: i64 = 0;
let labels: i64 = 0;

/** Makes room for the profile at [start, end). */
export function reserveFor(start: usize, end: usize): void {
  let strings: i64 = 0;
  let sampleTypes: i64 = 0;
  let mappings: i64 = 0;
  let functions: i64 = 0;
  let locations: i64 = 0;
  let locationBytes: i64 = 0;
  let samples: i64 = 0;
  entries = 0;
  values = 0;
  labels = 0;
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if ((tag & 7) !== 2 || tag > 0x32) {
      at = skipField(at, end, 0);
      continue;
    }
    at = readLength(at + 1, end);
    const stop = at + <usize>number;
    if (tag === 0x32) strings++;
    else if (tag === 0x22) {
      locations++;
      locationBytes += <i64>number;
    } else if (tag === 0x2a) functions++;
    else if (tag === 0x12) {
      samples++;
      countSample(at, stop);
    } else if (tag === 0x1a) mappings++;
    else if (tag === 0x0a) sampleTypes++;
    at = stop;
  }
  C.reserveStrings(strings);
  C.reserveMappings(mappings);
  C.reserveFunctions(functions);
  C.reserveLocations(locations);
  // A line has a tag and a length.
  C.reserveLines(locationBytes >> 1);
  C.reserveSamples(samples);
  C.reserveEntries(entries);
  // A sample without values takes a row until it is dropped.
  C.reserveValues(values + sampleTypes);
  C.reserveLabels(labels);
}

function countSample(start: usize, end: usize): void {
  // Of a longer list only the end is read.
  const stackBytes = <i64>slot(L.STACK_DEPTH_MAX) * 10;
  let at = start;
  while (at < end) {
    const tag = load<u8>(at);
    if (tag === 0x0a) {
      at = readLength(at + 1, end);
      entries += min(<i64>number, stackBytes);
      at += <usize>number;
    } else if (tag === 0x12) {
      at = readLength(at + 1, end);
      values += <i64>number;
      at += <usize>number;
    } else if (tag === 0x1a) {
      at = readLength(at + 1, end);
      labels++;
      at += <usize>number;
    } else if (tag === 0x08) {
      at = readVarint(at + 1, end);
      entries++;
    } else if (tag === 0x10) {
      at = readVarint(at + 1, end);
      values++;
    } else at = skipField(at, end, 3);
  }
}
