"""Files in S3 are read as files of this machine are: all formats, patterns and folders, no more of them than is wanted."""

from __future__ import annotations

import bz2
import gzip
import io
import random
from pathlib import Path

import duckdb
import fastavro
import obstore
import pyarrow as pa
import pytest
from tests.integration.stores.lake import Lake, fetched

from headrace import bootstrap
from headrace.errors import NonRetryableError, RetryableError

ORDERS = b"id,amount\n1,1.50\n2,2.50\n"
PIPELINE = """
version: 1
pipeline: orders
sources:
  orders:
    file: {path: "s3://BUCKET/in/**/*.csv", connection: lake}
    incremental: {by: file}
    contract: {columns: {id: {type: int64, required: true}, amount: {type: 'decimal(10, 2)'}}}
sinks:
  - file: {path: "s3://BUCKET/out/orders/", connection: lake, mode: append}
"""


def test_a_pattern_means_the_files_that_match_it_in_their_order_and_nothing_hidden(lake: Lake):
    for key in (
        "in/b.csv",
        "in/a.csv",
        "in/deep/er/c.csv",
        "in/_x.csv",
        "in/.y.csv",
        "in/.z/d.csv",
        "in/a.txt",
        "inside/e.csv",
    ):
        lake.put(key, ORDERS)

    def found(path: str) -> list[str]:
        return [
            file.name.removeprefix(f"s3://{lake.bucket}/")
            for file in lake.scan(f"s3://{lake.bucket}/{path}", format="csv").files
        ]

    assert found("in/*.csv") == ["in/a.csv", "in/b.csv"]
    assert found("in/**/*.csv") == ["in/a.csv", "in/b.csv", "in/deep/er/c.csv"]
    assert found("in/[ab].*") == ["in/a.csv", "in/a.txt", "in/b.csv"]
    assert found("in/deep") == found("in/deep/") == found("in/*/*/?.csv") == ["in/deep/er/c.csv"]
    assert found("in/_x.csv") == ["in/_x.csv"], "what is named is read, whatever its name"
    with pytest.raises(NonRetryableError, match=r"no file matches `s3://.*/in/x"):
        found("in/x*.csv")
    with pytest.raises(NonRetryableError, match=r"there is no file `s3://.*/in/c.csv`") as caught:
        found("in/c.csv")
    assert ".csv" in str(caught.value.hint)
    with pytest.raises(NonRetryableError, match="there are no files below"):
        found("nothing/")


@pytest.mark.parametrize("key", ["a b+c.csv", "é 🦆.csv", "100%.csv", "x#y&z=1.csv", "it's.csv", "in/day=2024-01-01/a.csv"])
def test_names_may_have_any_letters(lake: Lake, key: str):
    lake.put(key, ORDERS)
    scan = lake.scan(f"s3://{lake.bucket}/{key}")
    assert fetched(scan) == [ORDERS]
    assert scan.files[0].name == f"s3://{lake.bucket}/{key}"


def test_every_format_is_read(lake: Lake):
    rows = "SELECT i AS id, 'row ' || i AS name FROM range(1000) t(i)"
    made = {
        "t.parquet": lake.put_rows("t.parquet", rows),
        "t.csv": lake.put_rows("t.csv", rows, "FORMAT csv"),
        "t.jsonl": lake.put_rows("t.jsonl", rows, "FORMAT json"),
    }
    lake.put("t.csv.gz", gzip.compress(made["t.csv"].read_bytes()))
    for key, path in made.items():
        assert fetched(lake.scan(f"s3://{lake.bucket}/{key}")) == [path.read_bytes()]
    for key in (*made, "t.csv.gz"):
        view = lake.run(
            f"version: 1\npipeline: p\nsources: {{t: {{file: {{path: 's3://BUCKET/{key}', connection: lake}}}}}}\n"
            f"sinks: [{{file: {{path: out/{key}-read/}}}}]\n"
        )
        assert view.state == "succeeded"
        found = (
            duckdb.connect()
            .sql(f"SELECT count(*), sum(id::INT), max(name) FROM '{lake.project}/out/{key}-read/*.parquet'")
            .fetchall()
        )
        assert found == [(1000, 499_500, "row 999")], key


def test_of_parquet_no_more_is_fetched_than_the_columns_that_are_read(lake: Lake):
    made = lake.put_rows("wide.parquet", "SELECT i AS id, repeat(md5(i::VARCHAR), 20) AS text FROM range(60000) t(i)")
    scan = lake.scan(f"s3://{lake.bucket}/wide.parquet")
    path = Path(scan.files[0].path)
    assert path.stat().st_size == made.stat().st_size, "it looks like the whole file"
    assert path.stat().st_blocks * 512 < made.stat().st_size / 4
    assert scan.fetch is not None
    scan.fetch(scan.files, ["id"])
    assert path.stat().st_blocks * 512 < made.stat().st_size / 4
    assert duckdb.connect().sql(f"SELECT sum(id) FROM '{path}'").fetchall() == [(60_000 * 59_999 // 2,)]
    scan.fetch(scan.files, ["id", "text"])
    assert path.read_bytes() == made.read_bytes()


def test_of_delimited_text_only_the_start_is_looked_at(lake: Lake):
    data = b"id,text\n" + b"".join(b'%d,"some\ntext"\n' % i for i in range(400_000))
    lake.put("long.csv", data)
    scan = lake.scan(f"s3://{lake.bucket}/long.csv")
    assert scan.schema.names == ("id", "text")
    assert Path(scan.files[0].path).stat().st_size < len(data) / 2
    assert fetched(scan) == [data]


@pytest.mark.parametrize("ending", ["gz", "bz2", "zst", "members.gz"])
def test_of_packed_text_only_the_start_is_looked_at(lake: Lake, ending: str):
    rng = random.Random(7)
    lines = [b"%d,%016x\n" % (i, rng.getrandbits(64)) for i in range(400_000)]
    text = b"id,text\n" + b"".join(lines)
    packed = {
        "gz": lambda: gzip.compress(text, 1),
        "bz2": lambda: bz2.compress(text, 1),
        "zst": lambda: pa.Codec("zstd").compress(text, asbytes=True),
        "members.gz": lambda: b"".join(gzip.compress(text[at : at + 9_999], 1) for at in range(0, len(text), 9_999)),
    }
    data = packed[ending]()
    lake.put(f"long.csv.{ending}", data)
    scan = lake.scan(f"s3://{lake.bucket}/long.csv.{ending}", format="csv")
    assert scan.schema.names == ("id", "text")
    assert Path(scan.files[0].path).stat().st_size < len(data)
    assert fetched(scan) == [data]


def test_packed_text_that_cannot_be_cut_is_looked_at_whole(lake: Lake):
    text = ("id,text\n" + "".join(f"{i},{i:030}\n" for i in range(100_000))).encode("utf-16")
    for key, data in {"a.csv.gz": gzip.compress(text, 0), "b.csv.gz": gzip.compress(b"x" * 3_000_000, 0)}.items():
        lake.put(key, data)
        scan = lake.scan(f"s3://{lake.bucket}/{key}")
        assert Path(scan.files[0].path).read_bytes() == data


def test_a_run_reads_packed_text_and_avro_to_the_end(lake: Lake):
    rng = random.Random(7)
    rows = [{"id": i, "text": f"{rng.getrandbits(64):016x}"} for i in range(200_000)]
    text = "id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows)
    lake.put("in/t.csv.gz", gzip.compress(text.encode(), 1))
    avro = io.BytesIO()
    fields = [{"name": "id", "type": "long"}, {"name": "text", "type": "string"}]
    fastavro.writer(avro, {"type": "record", "name": "r", "fields": fields}, rows, codec="deflate")
    lake.put("in/t.avro", avro.getvalue())
    for key in ("in/t.csv.gz", "in/t.avro"):
        view = lake.run(
            f"version: 1\npipeline: p\nsources: {{t: {{file: {{path: 's3://BUCKET/{key}', connection: lake}}}}}}\n"
            f"checks: [{{row_count: {{min: 200000, max: 200000}}}}]\nsinks: [{{file: {{path: out/{key}-read/}}}}]\n"
        )
        assert view.state == "succeeded", key


def test_of_avro_and_arrow_only_what_tells_the_columns_is_looked_at(lake: Lake):
    """The header of Avro, the start of an Arrow stream, the footer of an Arrow file. What is longer than usual is fetched as well."""
    table = pa.table({"id": list(range(200_000)), "text": ["some text"] * 200_000})
    made: dict[str, bytes] = {}
    for wide in (False, True):  # with a schema that is itself longer than what is fetched at first
        fields = [{"name": "id", "type": "long"}, {"name": "text", "type": "string"}]
        schema = {"type": "record", "name": "r", "doc": "x" * (200_000 if wide else 1), "fields": fields}
        written = io.BytesIO()
        fastavro.writer(written, schema, table.to_pylist(), codec="null")
        made[f"{wide}.avro"] = written.getvalue()
        about = table.replace_schema_metadata({"about": "x" * (200_000 if wide else 1)})
        for ending, new in (("arrow", pa.ipc.new_file), ("arrows", pa.ipc.new_stream)):
            sink = pa.BufferOutputStream()
            with new(sink, about.schema) as writer:
                writer.write_table(about)
            made[f"{wide}.{ending}"] = sink.getvalue().to_pybytes()
    for key, data in made.items():
        lake.put(key, data)
        scan = lake.scan(f"s3://{lake.bucket}/{key}")
        assert scan.schema.names == ("id", "text"), key
        here = Path(scan.files[0].path).stat().st_blocks * 512
        if not key.startswith("True") or key.endswith(".arrow"):
            assert here < len(data) / 2, key
        assert fetched(scan) == [data], key


def test_what_was_loaded_is_not_loaded_again_nor_fetched(lake: Lake):
    lake.put("in/1.csv", ORDERS)
    lake.put("in/2.csv", b"id,amount\n3,1\nx,2\n")
    assert lake.run(PIPELINE).state == "succeeded"
    assert lake.run(PIPELINE).sources == {}, "nothing is read again"
    lake.put("in/3.csv", b"id,amount\n9,9\n")
    lake.put("in/1.csv", ORDERS.replace(b"1.50", b"7.50"))
    lake.run(PIPELINE)
    scan = lake.scan(f"s3://{lake.bucket}/out/orders/")
    paths = [file.path for file in scan.files]
    fetched(scan)
    rows = duckdb.connect().sql(f"SELECT id, amount::VARCHAR FROM read_parquet({paths}) ORDER BY ALL").fetchall()
    assert rows == [(1, "1.50"), (1, "7.50"), (2, "2.50"), (2, "2.50"), (3, "1.00"), (9, "9.00")]


def test_what_is_held_back_is_known_by_its_address(lake: Lake):
    lake.put("in/2.csv", b"id,amount\n3,1\nx,2\n")
    view = lake.run(PIPELINE)
    held = next((lake.project / ".headrace" / "quarantine").rglob("*.parquet"))
    assert view.state == "succeeded"
    assert duckdb.connect().sql(f"SELECT file, record FROM '{held}'").fetchall() == [(f"s3://{lake.bucket}/in/2.csv", 2)]


def test_folders_are_columns_there_too(lake: Lake):
    for day in (1, 2):
        lake.put(f"in/day={day}/a.csv", ORDERS)
    scan = lake.scan(f"s3://{lake.bucket}/in")
    assert [str(c) for c in scan.schema][-1].startswith("day")
    assert lake.scan(f"s3://{lake.bucket}/in", partitioned=False).schema.names == ("id", "amount")


def test_below_what_was_published_the_manifest_says_what_counts(lake: Lake):
    lake.put("in/1.csv", ORDERS)
    lake.run(PIPELINE)
    lake.put("out/orders/0123456789abcdef-00000.parquet", b"from a publication that died")
    assert len(lake.scan(f"s3://{lake.bucket}/out/orders").files) == 1
    own = [key for key in lake.keys("out/orders") if "0123" not in key and key.endswith(".parquet")]
    obstore.delete(lake.client, own)
    with pytest.raises(RetryableError, match="was changed while it was being read"):
        lake.scan(f"s3://{lake.bucket}/out/orders")


def test_a_file_that_changes_between_looking_and_reading_is_an_error_that_passes(lake: Lake):
    lake.put("t.csv", ORDERS + b"3,3.50\n" * 1_000_000)
    scan = lake.scan(f"s3://{lake.bucket}/t.csv")
    lake.put("t.csv", ORDERS + b"4,4.50\n" * 1_000_000)
    with pytest.raises(RetryableError, match=r"t.csv` was changed while it was being read"):
        fetched(scan)


def test_the_copies_are_gone_with_the_scan_and_those_of_the_dead_with_the_next(lake: Lake):
    lake.put("t.csv", ORDERS)
    folder = lake.project / ".headrace" / "fetched"
    (folder / "dead").mkdir(parents=True)
    (folder / "dead" / ".lock").touch()
    scan = lake.scan(f"s3://{lake.bucket}/t.csv")
    assert [f.name for f in folder.iterdir()] == [Path(scan.files[0].path).parent.name]
    del scan
    assert not list(folder.iterdir())


def test_many_small_files_are_listed_once_and_fetched_side_by_side(lake: Lake, proxy):
    for number in range(300):
        lake.put(f"many/{number:04}.csv", b"id,amount\n%d,1\n" % number)
    scan = lake.scan(f"s3://{lake.bucket}/many/*.csv", connection=lake.profile(endpoint=proxy.url))
    assert len(fetched(scan)) == 300
    assert sum("list-type=2" in path for _, path, _ in proxy.seen) == 1
    assert len(proxy.seen) == 301, "each was fetched once: its start is all of it"


def test_a_plan_names_the_store(lake: Lake):
    lake.put("in/1.csv", ORDERS)
    file = lake.project / "pipeline.yaml"
    file.write_text(PIPELINE.replace("BUCKET", lake.bucket))
    plan = bootstrap.plan(bootstrap.load(file))
    assert plan.sources[0].origin == f"s3://{lake.bucket}/in/1.csv"
    assert plan.sinks[0].publisher.target(lake.project) == f"s3://{lake.bucket}/out/orders/"
    assert "who reads by _manifest.json sees whole states alone" in plan.sinks[0].publisher.guarantee()
