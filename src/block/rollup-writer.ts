/**
 * Writes the rollups of a block whose other tables are there already, from its samples: so they are made in the same
 * way whatever the block was made from. A service and profile name at a time; memory: its profiles without their
 * samples, the sums by key of one bucket of each width, and a bounded number of samples.
 */
import type { Bucket } from '../objstore/bucket.js';
import { groupTiles, type RollupPlace, rolledColumns, tileColumns } from './rollup-columns.js';
import { type RollupGroup, rollupGroup } from './rollup-group.js';
import { fitsRollups, promisingWidths, RollupRowCounter, worthwhileWidths } from './rollup-plan.js';
import { rollGroup } from './rollup-roll.js';
import type { RollupSettings } from './rollup-series.js';
import {
  groupMetadata,
  type RolledBlock,
  type SeriesGroup,
  seriesGroups,
  usedColumns,
} from './rollup-source.js';
import { WrittenRows } from './rollup-written.js';
import { type BlockTable, ROLLUP_TABLES, ROLLUPS } from './schemas.js';
import { TableWriter } from './table-writer.js';
import type { BlockMeta, RollupMeta, TableMeta } from './types.js';
import { ROLLUP_WIDTHS, type RollupWidth } from '../model/rollup-width.js';

export class RollupTables {
  readonly #bucket: Bucket;
  readonly #settings: RollupSettings;
  readonly #writers = new Map<string, TableWriter>();

  constructor(bucket: Bucket, settings: RollupSettings) {
    this.#bucket = bucket;
    this.#settings = settings;
  }

  /** `block` has no rollups yet; the result is its meta with them. */
  async write(block: RolledBlock): Promise<BlockMeta> {
    const { meta } = block;
    const rollups = new Map<string, RollupMeta[]>();
    for (const group of seriesGroups(block.series)) {
      const own = await this.#group(block, group);
      rollups.set(group.service, [...(rollups.get(group.service) ?? []), ...own]);
    }
    const tables: TableMeta[] = [];
    for (const { name } of ROLLUP_TABLES) {
      const writer = this.#writers.get(name);
      if (writer !== undefined) tables.push(await writer.finish());
    }
    return {
      ...meta,
      services: meta.services.map((s) => ({ ...s, rollups: rollups.get(s.service) ?? [] })),
      tables: [...meta.tables, ...tables],
    };
  }

  async #group(block: RolledBlock, own: SeriesGroup): Promise<readonly RollupMeta[]> {
    const { meta, series } = block;
    const count = own.profiles.end - own.profiles.start;
    const group = rollupGroup(await block.profiles(own.profiles), series);
    const { keyCount } = meta.services.find((s) => s.service === own.service) ?? { keyCount: 0 };
    if (!fitsRollups(group, meta.valueMagnitudeMax, keyCount)) return [];
    const metadata = await groupMetadata(block, own.profiles);
    if (metadata === undefined) return [];
    const place = { ...own, blockId: meta.blockId };
    const rowWidths = await this.#rowWidths(block, group, keyCount);
    const rows = await this.#rows({ block, group, keyCount, place }, rowWidths);
    const out: RollupMeta[] = [];
    for (const width of ROLLUP_WIDTHS) {
      const hasRows = rowWidths.includes(width);
      const written = rows.of(width);
      const tiles = groupTiles(group, width, { series, metadata, rows: written.rowsOf });
      if (!hasRows && tiles.count * this.#settings.savingMin[width] > count) continue;
      const writer = this.#writer(meta, ROLLUPS[width].tiles);
      const { firstRow, rowCount } = written;
      const { profileName } = own;
      const firstTile = writer.rowCount;
      const tileCount = tiles.count;
      out.push({ profileName, width, firstTile, tileCount, hasRows, firstRow, rowCount });
      await writer.append(tileColumns(place, tiles));
    }
    return out;
  }

  async #rowWidths(
    block: RolledBlock,
    group: RollupGroup,
    keyCount: number,
  ): Promise<readonly RollupWidth[]> {
    const promising = promisingWidths(group, this.#settings);
    if (promising.length === 0) return [];
    const counter = new RollupRowCounter(group, promising, keyCount);
    const { firstRow, rowCount } = group.profiles;
    for (const { order } of group.units) {
      await block.walk.visit({ order, firstRow, rowCount, columns: [] }, counter.visit);
    }
    return worthwhileWidths(counter.rows, group.rows, this.#settings);
  }

  async #rows(
    of: {
      readonly block: RolledBlock;
      readonly group: RollupGroup;
      readonly keyCount: number;
      readonly place: RollupPlace;
    },
    widths: readonly RollupWidth[],
  ): Promise<WrittenRows> {
    const { block, group, keyCount, place } = of;
    const written = new WrittenRows();
    if (widths.length === 0) return written;
    for (const width of widths) {
      written.begin(width, this.#writer(block.meta, ROLLUPS[width].rows).rowCount);
    }
    const columns = usedColumns(block.meta);
    await rollGroup({ group, widths, keyCount, columns, walk: block.walk }, async (width, own) => {
      written.add(width, own);
      const writer = this.#writer(block.meta, ROLLUPS[width].rows);
      await writer.append(rolledColumns(place, own));
    });
    return written;
  }

  #writer({ tenantId, blockId }: BlockMeta, table: BlockTable): TableWriter {
    const known = this.#writers.get(table.name);
    if (known !== undefined) return known;
    const made = new TableWriter({ bucket: this.#bucket, tenantId, blockId, table });
    this.#writers.set(table.name, made);
    return made;
  }

  async abort(): Promise<void> {
    for (const writer of this.#writers.values()) await writer.abort();
  }
}
