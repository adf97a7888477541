"""The folder of one run in which client and executors hand rows to each other, as Parquet. Both see it under the same name."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from headrace.infrastructure.engines.spark.cluster import Cluster
from headrace.infrastructure.engines.spark.naming import identifier, text


class Area:
    """Names for what is written, and how it is written and read in Spark's SQL."""

    def __init__(self, cluster: Cluster, place: Path) -> None:
        self.cluster = cluster
        self.folder = place / f"spark-{secrets.token_hex(4)}"
        self.folder.mkdir(parents=True)
        self._made = 0

    def path(self, kind: str, about: str) -> Path:
        """A new place, which does not exist yet."""
        self._made += 1
        readable = re.sub(r"[^\w.-]", "_", about)[:40]
        return self.folder / f"{self._made}-{kind}-{readable}"

    def write(self, kind: str, about: str, query: str) -> Path:
        """Have the executors write the rows of a query; where they are."""
        path = self.path(kind, about)
        self.cluster.run(written(query, path))
        return path

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def written(query: str, path: Path) -> str:
    return f"INSERT OVERWRITE DIRECTORY {text(str(path.absolute()))} USING parquet\n{query}"


def read(*paths: Path) -> str:
    """What stands after FROM for the rows in these files or folders."""
    relations = [f"parquet.{identifier(_exactly(str(path.absolute())))}" for path in paths]
    if len(relations) == 1:
        return relations[0]
    return "(" + " UNION ALL ".join(f"SELECT * FROM {relation}" for relation in relations) + ")"


def parts(folder: Path) -> Sequence[Path]:
    """The files of rows that the executors have written into a folder."""
    return sorted(folder.glob("part-*.parquet"))


def _exactly(path: str) -> str:
    """A path that Spark must not take for a pattern."""
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", path)
