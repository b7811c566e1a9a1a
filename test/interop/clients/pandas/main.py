"""Reads every table of a block with pandas: rows of each, and what the samples of each profile name add up to.

Arguments: the folder of the block, the file for the answer (JSON).
"""
import json
import os
import sys

import pandas

folder, answer = sys.argv[1:]
tables = {
    name.removesuffix(".parquet"): pandas.read_parquet(os.path.join(folder, name))
    for name in sorted(os.listdir(folder))
    if name.endswith(".parquet")
}
samples, series, keys = tables["samples"], tables["series"], tables["keys"]
named = samples.merge(series[["series", "type_1", "type_2"]], on="series")
sums = named.groupby(["profile_name", "type_1"])["v1"].sum()
joined = samples.merge(keys[["service", "key", "node"]], on=["service", "key"])
with open(answer, "w", encoding="utf-8") as file:
    json.dump(
        {
            "rows": {name: len(table) for name, table in tables.items()},
            "sums": {"/".join(key): int(value) for key, value in sums.items()},
            "joined": len(joined),
            "starts": [int(t.value) for t in tables["profiles"]["start"]],
        },
        file,
    )
