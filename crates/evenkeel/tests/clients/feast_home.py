"""Makes a Feast repository with a feature view, fills its online store, and says how to serve it.

The rows have ages: 1 is of a minute ago, 2 of three hours ago, 3 has no value of `txn_7d`.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys

DEFINITIONS = """
from datetime import timedelta

from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float32, Int64

customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
source = FileSource(path="data/stats.parquet", timestamp_field="event_timestamp")
stats = FeatureView(
    name="stats",
    entities=[customer],
    ttl=timedelta(hours=1),
    schema=[Field(name="txn_7d", dtype=Int64), Field(name="avg_amount", dtype=Float32)],
    source=source,
)
"""

STORE = """
project: t
provider: local
registry: data/registry.db
online_store: {type: sqlite, path: data/online.db}
offline_store: {type: file}
entity_key_serialization_version: 3
"""

FILL = """
from datetime import datetime, timedelta, timezone

import pandas as pd
from feast import FeatureStore

now = datetime.now(timezone.utc)
frame = pd.DataFrame(
    {
        "customer_id": [1, 2, 3],
        "txn_7d": pd.array([7, 9, None], dtype="Int64"),
        "avg_amount": pd.array([12.5, 3.5, float("nan")], dtype="float32"),
        "event_timestamp": [now - timedelta(minutes=1), now - timedelta(hours=3), now],
    }
)
FeatureStore(".").write_to_online_store("stats", frame)
"""


def main(folder: pathlib.Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "feature_store.yaml").write_text(STORE)
    (folder / "definitions.py").write_text(DEFINITIONS)
    environment = {**os.environ, "FEAST_USAGE": "False"}
    feast = str(pathlib.Path(sys.executable).parent / "feast")
    quiet = {"cwd": folder, "env": environment, "check": True, "stdout": subprocess.DEVNULL}
    subprocess.run([feast, "apply"], **quiet)
    subprocess.run([sys.executable, "-c", FILL], **quiet)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [feast, "--chdir", str(folder), "serve", "-h", "127.0.0.1", "-p", str(port)]
    told = {"command": command, "environment": {"FEAST_USAGE": "False"}, "http": f"http://127.0.0.1:{port}"}
    print(json.dumps(told))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
