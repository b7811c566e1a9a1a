import { parquetMetadata } from 'hyparquet';
import { corrupt } from '../base/errors.js';

/** What a Parquet footer says, as far as the engine needs it. */
export interface Footer {
  readonly rowCount: number;
  readonly rowGroups: readonly FooterRowGroup[];
}

export interface FooterRowGroup {
  readonly rowCount: number;
  readonly columns: readonly FooterChunk[];
}

export interface FooterChunk {
  /** Dotted path of the leaf. */
  readonly column: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly uncompressedBytes: number;
  /** Of the footer's statistics; undefined where the writer gave none. */
  readonly min: unknown;
  readonly max: unknown;
}

/**
 * Reads the footer at the end of `tail`, the last bytes of a file of `fileBytes`. Throws `corrupt` PS_PARQUET_FOOTER.
 */
export function readFooter(tail: Uint8Array, fileBytes: number): Footer {
  try {
    const { buffer, byteOffset, byteLength } = Uint8Array.from(tail);
    const metadata = parquetMetadata(buffer.slice(byteOffset, byteOffset + byteLength));
    return {
      rowCount: Number(metadata.num_rows),
      rowGroups: metadata.row_groups.map((group) => ({
        rowCount: Number(group.num_rows),
        columns: group.columns.map((chunk) => readChunk(chunk.meta_data, fileBytes)),
      })),
    };
  } catch (error) {
    throw corrupt(
      'PS_PARQUET_FOOTER',
      `cannot read Parquet footer: got ${error instanceof Error ? error.message : String(error)}; want a valid footer`,
    );
  }
}

type Metadata = ReturnType<
  typeof parquetMetadata
>['row_groups'][number]['columns'][number]['meta_data'];

function readChunk(data: Metadata, fileBytes: number): FooterChunk {
  if (data === undefined) throw new Error('a column chunk without metadata');
  const dataOffset = Number(data.data_page_offset);
  const dictionaryOffset = Number(data.dictionary_page_offset ?? data.data_page_offset);
  const offset = dictionaryOffset > 0 ? Math.min(dataOffset, dictionaryOffset) : dataOffset;
  const sizeBytes = Number(data.total_compressed_size);
  if (offset < 0 || sizeBytes < 0 || offset + sizeBytes > fileBytes) {
    throw new Error(`a column chunk of ${sizeBytes} bytes at ${offset} of ${fileBytes}`);
  }
  return {
    column: data.path_in_schema.join('.'),
    offset,
    sizeBytes,
    uncompressedBytes: Number(data.total_uncompressed_size),
    min: data.statistics?.min_value,
    max: data.statistics?.max_value,
  };
}
