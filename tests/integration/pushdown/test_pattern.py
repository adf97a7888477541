"""The specification's ELT pattern, with parts that really load by COPY and really transform in place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
from tests.integration.pushdown.test_inside import asked

from headrace.orchestration import ELTPipeline

ROWS = 1000


class Lines:
    """Reads a file as it is."""

    async def extract(self, source: str) -> bytes:
        return Path(source).read_bytes()


class Copying:
    """Loads raw text into a staging table by COPY; twice comes to the same as once."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def load(self, data: bytes, destination: str) -> None:
        async with await psycopg.AsyncConnection.connect(self.url) as db:
            await db.execute(f"DROP TABLE IF EXISTS {destination}")  # type: ignore[call-overload]
            await db.execute(f"CREATE TABLE {destination} (id text, amount text)")  # type: ignore[call-overload]
            async with db.cursor().copy(f"COPY {destination} FROM STDIN (FORMAT csv, HEADER)") as copy:
                await copy.write(data)


class ByDefinition:
    """Lets a definition with `engine: postgres` judge and transform what is staged, where it is."""

    def __init__(self, project: Path, url: str) -> None:
        self.project, self.url = project, url

    async def transform_in_place(self, staging: str, destination: str) -> None:
        from headrace import bootstrap

        (self.project / "headrace.toml").write_text(f'[engines.postgres]\nurl = "{self.url}"\n')
        file = self.project / "pipeline.yaml"
        file.write_text(f"""
version: 1
pipeline: elt
engine: postgres
sources:
  raw:
    postgres: {{url: '{self.url}', table: {staging}}}
    contract: {{columns: {{id: {{required: true}}, amount: {{matches: '^[0-9]+$'}}}}}}
steps:
  - derive: {{id: cast(id as int64), amount: cast(amount as int64)}}
sinks:
  - postgres: {{url: '{self.url}', table: {destination}}}
""")
        await asyncio.to_thread(bootstrap.run, bootstrap.load(file))


def test_extract_load_and_transform_in_place(tmp_path: Path, postgres: str) -> None:
    file = tmp_path / "in.csv"
    file.write_text("id,amount\n" + "".join(f"{i},{i * 2 if i % 10 else 'much'}\n" for i in range(ROWS)))
    pipeline = ELTPipeline(Lines(), Copying(postgres), ByDefinition(tmp_path, postgres))
    asyncio.run(pipeline.execute(str(file), "staged_lines", "amounts"))
    wanted = [i for i in range(ROWS) if i % 10]
    assert asked(postgres, "SELECT count(*), sum(amount)::bigint FROM amounts") == [(len(wanted), 2 * sum(wanted))]
    assert asked(postgres, "SELECT count(*) FROM staged_lines") == [(ROWS,)], "what was loaded is as it was"
