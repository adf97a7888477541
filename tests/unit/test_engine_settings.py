"""`[engines.spark]` in headrace.toml: what is handed to Spark, and what is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.engine_settings import MEANING, SparkSettings
from headrace.errors import DefinitionError
from headrace.settings import load_settings


def spark(folder: Path, text: str) -> SparkSettings:
    (folder / "headrace.toml").write_text(f"[engines.spark]\n{text}")
    return load_settings(folder, {}).spark


def test_without_a_table_all_cores_of_this_machine(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {}).spark == SparkSettings("local[*]")


def test_what_spark_is_told_passes_through_however_it_is_quoted(tmp_path: Path) -> None:
    settings = spark(
        tmp_path,
        'master = "spark://a:7077,b:7077"\nstaging = "/shared"\nspark.executor.memory = "4g"\n"spark.executor.cores" = 2\n'
        '"spark.sql.adaptive.enabled" = true\nspark.sql.adaptive.coalescePartitions.enabled = false',
    )
    assert settings.master == "spark://a:7077,b:7077"
    assert settings.staging == "/shared"
    assert settings.options == {
        "spark.executor.memory": "4g",
        "spark.executor.cores": "2",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('master = "local[2]"\nremote = "sc://a"', "not both"),
        ('master = "mesos://a"', "`master` of the engine spark must be an address"),
        ('remote = "a:15002"', "`remote` of the engine spark must be an address"),
        ("master = 4", "must be an address"),
        ('staging = "shared"', "a path from the root"),
        ('mster = "local"', "unknown setting `mster` of the engine spark"),
        ('"spark.master" = "local"', "is written as `master`"),
        ('"spark.executor.memory" = ["4g"]', "must be a text, a number, true or false"),
        ('"spark.sql.legacy.timeParserPolicy" = "LEGACY"', "cannot be set"),
        ('"spark.sql.legacy.allowHashOnMapType" = true', "cannot be set"),
        ('remote = "sc://a"\n"spark.executor.memory" = "4g"', "is decided where the server of Spark Connect is started"),
        *((f'"{name}" = "x"', "cannot be set") for name in MEANING),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        spark(tmp_path, text)
    (problem,) = raised.value.problems
    assert said in problem.message
    assert problem.location is not None
    assert problem.location.line == 1


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as raised:
        spark(tmp_path, 'master = "nowhere"\nstaging = ""\nother = 1')
    assert len(raised.value.problems) == 3


def test_both_engines_may_have_a_table(tmp_path: Path) -> None:
    (tmp_path / "headrace.toml").write_text('[engines.spark]\nmaster = "local"\n[engines.postgres]\nurl = "postgresql://a/b"\n')
    settings = load_settings(tmp_path, {})
    assert settings.spark.master == "local"
    assert settings.postgres is not None
