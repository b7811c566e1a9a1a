-- Views over the Parquet tables of blocks, for DuckDB and close relatives. Set `blocks` to the folder of a tenant
-- first, for example: SET VARIABLE blocks = 'data/blocks/anonymous';
-- docs/format/block.md says what the columns mean.

-- Blocks with sums of old profiles have a column more, profile_count; elsewhere it is absent or NULL and means 1.
CREATE VIEW profiles AS
SELECT * FROM read_parquet(getvariable('blocks') || '/*/profiles.parquet', union_by_name = true);
-- Blocks before format version 3 also say each row's time here; `profiles` says it of every block.
CREATE VIEW samples AS
SELECT block_id, service, profile_name, series, profile, key, v1, v2, v3, v4
FROM read_parquet(getvariable('blocks') || '/*/samples.parquet', union_by_name = true);
CREATE VIEW keys AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/keys.parquet');
CREATE VIEW nodes AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/nodes.parquet');
CREATE VIEW frames AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/frames.parquet');
CREATE VIEW series AS SELECT * FROM read_parquet(getvariable('blocks') || '/*/series.parquet');

-- One row for each sample type and value: what `v1` ... `v4` mean is looked up in `series`. When it was is in `profiles`:
-- JOIN profiles USING (block_id, profile).
CREATE VIEW samples_long AS
SELECT block_id, samples.service, samples.profile_name, series, profile, key,
       type_1 AS sample_type, unit_1 AS sample_unit, temporality_1 AS temporality, v1 AS value
FROM samples JOIN series USING (block_id, series) WHERE temporality_1 <> '' AND v1 <> 0
UNION ALL
SELECT block_id, samples.service, samples.profile_name, series, profile, key,
       type_2, unit_2, temporality_2, v2
FROM samples JOIN series USING (block_id, series) WHERE temporality_2 <> '' AND v2 <> 0
UNION ALL
SELECT block_id, samples.service, samples.profile_name, series, profile, key,
       type_3, unit_3, temporality_3, v3
FROM samples JOIN series USING (block_id, series) WHERE temporality_3 <> '' AND v3 <> 0
UNION ALL
SELECT block_id, samples.service, samples.profile_name, series, profile, key,
       type_4, unit_4, temporality_4, v4
FROM samples JOIN series USING (block_id, series) WHERE temporality_4 <> '' AND v4 <> 0;

-- The functions of each key, root first, without recursion: the nodes of a stacktrace are those whose interval of
-- keys holds the key.
CREATE VIEW stacks_flat AS
SELECT keys.block_id, keys.service, keys.key,
       coalesce(
         list(coalesce(nullif(frames.function, ''), frames.system_name) ORDER BY nodes.depth)
           FILTER (WHERE nodes.depth > 0),
         []
       ) AS functions
FROM keys
JOIN nodes ON nodes.block_id = keys.block_id AND nodes.service = keys.service
  AND nodes.first_key <= keys.key AND keys.key < nodes.end_key
LEFT JOIN frames ON frames.block_id = nodes.block_id AND frames.frame = nodes.frame
GROUP BY ALL;
