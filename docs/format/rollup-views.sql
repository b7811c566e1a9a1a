-- Views over the rollups of blocks, for DuckDB and close relatives, after block-views.sql. Files of a width are there
-- only where a block has that rollup; DuckDB makes no view over no file.

CREATE VIEW rollup_5m AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/rollup_5m.parquet');
CREATE VIEW tiles_5m AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/tiles_5m.parquet');
CREATE VIEW rollup_1h AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/rollup_1h.parquet');
CREATE VIEW tiles_1h AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/tiles_1h.parquet');
CREATE VIEW rollup_1d AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/rollup_1d.parquet');
CREATE VIEW tiles_1d AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/tiles_1d.parquet');

-- The labels of each rollup series.
CREATE VIEW rollup_series AS SELECT DISTINCT block_id, rollup_series, rollup_labels AS labels FROM series;
