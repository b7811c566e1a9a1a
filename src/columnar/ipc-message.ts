/**
 * The messages of an Arrow IPC stream that hold data (https://arrow.apache.org/docs/format/Columnar.html, metadata
 * version V5): writing and reading their flatbuffers. For one schema every record batch message has the same shape,
 * so writing one is copying a template and filling in numbers: two hundred times cheaper than a general writer, which
 * counts where a commit holds four small batches.
 *
 * A message: 0xFFFFFFFF, metadata length, metadata (a flatbuffer, padded to 8), body (buffers, each padded to 8).
 */
import { damaged, fieldAt, follow, size64, structVector } from './flatbuffer.js';

export const PREFIX_BYTES = 8;
export const CONTINUATION = 0xffffffff;
/** 0xFFFFFFFF and length 0. */
export const END_OF_STREAM_BYTES = 8;

export const METADATA_V5 = 4;
export const HEADER_SCHEMA = 1;
export const HEADER_DICTIONARY_BATCH = 2;
export const HEADER_RECORD_BATCH = 3;

/** Where the numbers of a message template go, counted from the start of the message. */
export interface MessageTemplate {
  readonly bytes: Uint8Array;
  readonly bodyLengthAt: number;
  readonly rowCountAt: number;
  readonly nodesAt: number;
  readonly buffersAt: number;
}

/** Message table, always at the same place: vtable at 4, table at 16, ending at 36. */
function putMessageTable(view: DataView, headerType: number, headerAt: number): void {
  view.setUint32(0, 16, true);
  putVtable(view, 4, [16, 18, 4, 8], 20);
  view.setInt32(16, 12, true);
  view.setUint32(20, headerAt - 20, true);
  view.setInt16(32, METADATA_V5, true);
  view.setUint8(34, headerType);
}

function putVtable(
  view: DataView,
  at: number,
  fields: readonly number[],
  tableBytes: number,
): void {
  view.setUint16(at, 4 + fields.length * 2, true);
  view.setUint16(at + 2, tableBytes, true);
  for (let i = 0; i < fields.length; i++) view.setUint16(at + 4 + i * 2, fields[i]!, true);
}

/** RecordBatch table with its vectors: vtable at `vtableAt`, table at `tableAt`. */
function putRecordBatch(
  view: DataView,
  at: { vtable: number; table: number },
  counts: { nodes: number; buffers: number },
): { nodesAt: number; buffersAt: number } {
  putVtable(view, at.vtable, [8, 4, 16], 20);
  view.setInt32(at.table, at.table - at.vtable, true);
  const nodesAt = at.table + 24;
  const buffersAt = nodesAt + counts.nodes * 16 + 8;
  view.setUint32(at.table + 4, nodesAt - 4 - (at.table + 4), true);
  view.setUint32(at.table + 16, buffersAt - 4 - (at.table + 16), true);
  view.setUint32(nodesAt - 4, counts.nodes, true);
  view.setUint32(buffersAt - 4, counts.buffers, true);
  return { nodesAt, buffersAt };
}

function template(
  headerType: number,
  counts: { nodes: number; buffers: number },
  dictionaryId: number,
): MessageTemplate {
  const isDictionary = headerType === HEADER_DICTIONARY_BATCH;
  const table = isDictionary ? 80 : 48;
  const metadataBytes = table + 24 + counts.nodes * 16 + 8 + counts.buffers * 16;
  const bytes = new Uint8Array(PREFIX_BYTES + metadataBytes);
  const prefix = new DataView(bytes.buffer);
  prefix.setUint32(0, CONTINUATION, true);
  prefix.setInt32(4, metadataBytes, true);
  const view = new DataView(bytes.buffer, PREFIX_BYTES);
  putMessageTable(view, headerType, 48);
  if (isDictionary) {
    putVtable(view, 36, [8, 4], 16);
    view.setInt32(48, 12, true);
    view.setUint32(52, table - 52, true);
    view.setBigInt64(56, BigInt(dictionaryId), true);
  }
  const vtable = isDictionary ? 64 : 36;
  const { nodesAt, buffersAt } = putRecordBatch(view, { vtable, table }, counts);
  return {
    bytes,
    bodyLengthAt: PREFIX_BYTES + 24,
    rowCountAt: PREFIX_BYTES + table + 8,
    nodesAt: PREFIX_BYTES + nodesAt,
    buffersAt: PREFIX_BYTES + buffersAt,
  };
}

export function recordBatchTemplate(nodes: number, buffers: number): MessageTemplate {
  return template(HEADER_RECORD_BATCH, { nodes, buffers }, 0);
}

/** A dictionary of strings: one node with a validity, an offsets and a data buffer. */
export function dictionaryTemplate(dictionaryId: number): MessageTemplate {
  return template(HEADER_DICTIONARY_BATCH, { nodes: 1, buffers: 3 }, dictionaryId);
}

/** What a message says of its body; `nodes` holds lengths, `buffers` pairs of (offset in the body, size). */
export interface BatchHeader {
  readonly headerType: number;
  readonly dictionaryId: number;
  readonly rowCount: number;
  readonly nodes: Float64Array;
  readonly nullCounts: number;
  readonly buffers: Float64Array;
  readonly bodyBytes: number;
}

/**
 * Reads the metadata of one message; `view` covers just that. Throws `corrupt` PS_COLUMN_MESSAGE, or a RangeError
 * for an offset that leads outside (the caller turns it into `corrupt`).
 */
export function readBatchHeader(view: DataView): BatchHeader {
  const message = view.getUint32(0, true);
  const headerTypeAt = fieldAt(view, message, 1);
  const headerType = headerTypeAt === 0 ? 0 : view.getUint8(headerTypeAt);
  const bodyLengthAt = fieldAt(view, message, 3);
  const bodyBytes = bodyLengthAt === 0 ? 0 : size64(view, bodyLengthAt);
  let batch = follow(view, fieldAt(view, message, 2), 'header');
  let dictionaryId = 0;
  if (headerType === HEADER_DICTIONARY_BATCH) {
    const idAt = fieldAt(view, batch, 0);
    dictionaryId = idAt === 0 ? 0 : size64(view, idAt);
    const deltaAt = fieldAt(view, batch, 2);
    if (deltaAt !== 0 && view.getUint8(deltaAt) !== 0) throw damaged('a delta dictionary');
    batch = follow(view, fieldAt(view, batch, 1), 'dictionary data');
  } else if (headerType !== HEADER_RECORD_BATCH) throw damaged(`header type ${headerType}`);
  const rowCountAt = fieldAt(view, batch, 0);
  if (fieldAt(view, batch, 3) !== 0) throw damaged('a compressed body');
  const nodeVector = structVector(view, follow(view, fieldAt(view, batch, 1), 'nodes'));
  const bufferVector = structVector(view, follow(view, fieldAt(view, batch, 2), 'buffers'));
  const nodes = new Float64Array(nodeVector.count);
  let nullCounts = 0;
  for (let i = 0; i < nodes.length; i++) {
    nodes[i] = size64(view, nodeVector.at + i * 16);
    nullCounts += size64(view, nodeVector.at + i * 16 + 8);
  }
  const buffers = new Float64Array(bufferVector.count * 2);
  for (let i = 0; i < buffers.length; i++) buffers[i] = size64(view, bufferVector.at + i * 8);
  const rowCount = rowCountAt === 0 ? 0 : size64(view, rowCountAt);
  return { headerType, dictionaryId, rowCount, nodes, nullCounts, buffers, bodyBytes };
}
