"""Settings from `headrace.toml` and the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.errors import DefinitionError
from headrace.settings import Outlet, Settings, load_settings


def told(project: Path, text: str | None = None, **env: str) -> list[str]:
    if text is not None:
        (project / "headrace.toml").write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_settings(project, env)
    return [str(p).replace(str(project) + "/", "") for p in caught.value.problems]


def test_nothing_said_leaves_it_to_the_engine(tmp_path):
    assert load_settings(tmp_path, {}) == Settings(None, None, None, Path(".headrace"))


def test_a_file_says_it(tmp_path):
    (tmp_path / "headrace.toml").write_text(
        'memory_limit = "1.5 gb"\nthreads = 4\ntemp_directory = "scratch"\nstate = "state"\n'
    )
    assert load_settings(tmp_path, {}) == Settings("1.5GB", 4, tmp_path / "scratch", Path("state"))


def test_the_environment_comes_first(tmp_path):
    (tmp_path / "headrace.toml").write_text('memory_limit = "1GB"\nthreads = 4\n')
    env = {"HEADRACE_THREADS": "2", "HEADRACE_TEMP_DIRECTORY": "/scratch", "HEADRACE_MEMORY_LIMIT": ""}
    assert load_settings(tmp_path, env) == Settings("1GB", 2, Path("/scratch"))


def test_all_problems_are_told_with_their_lines(tmp_path):
    assert told(tmp_path, '# ours\nthreads = 0\nmemory_limt = "1GB"\nmemory_limit = "1 GG"\n[engine]\nx = 1\n') == [
        "headrace.toml:2:1: `threads` must be a whole number above 0, not `0`",
        "headrace.toml:3:1: unknown setting `memory_limt`\n    did you mean `memory_limit`?",
        "headrace.toml:4:1: `GG` is not a unit of size\n    allowed: B, KB, MB, GB, TB, KiB, MiB, GiB, TiB",
        "headrace.toml:5:1: unknown setting `engine`\n    did you mean `engines`?",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threads = true\n", "`threads` must be a whole number above 0, not `True`"),
        ("threads = -1\n", "`threads` must be a whole number above 0, not `-1`"),
        ("memory_limit = 5\n", '`memory_limit` must be a size such as "1GB", not `5`'),
        ('memory_limit = "lots"\n', '`memory_limit` must be a size such as "1GB", not `lots`'),
        ("state = 5\n", "`state` must be a path, not `5`"),
        ("lease_seconds = 0\n", "`lease_seconds` must be a number of seconds, at least 1, not `0`"),
        (
            'database_url = "mysql://secret"\n',
            "`database_url` must be an address such as `postgresql://user@host/database`, or `connection:NAME`, not what it is",
        ),
        (
            "slots = {warehouse = 0}\n",
            "`slots` must be names with whole numbers, such as `{warehouse = 2}`, not `{'warehouse': 0}`",
        ),
    ],
)
def test_wrong_values(tmp_path, text, said):
    assert told(tmp_path, text) == [f"headrace.toml:1:1: {said}"]


@pytest.mark.parametrize("given", ["", 'url = "postgresql://a@b/c"\nconnection = "warehouse"\n'])
def test_the_engine_postgres_is_given_one_address(tmp_path, given):
    said = "the engine postgres is given either the name of a `connection` or an address as `url`"
    assert told(tmp_path, f"[engines.postgres]\n{given}") == [f"headrace.toml:1:1: {said}"]


def test_a_file_that_is_no_toml(tmp_path):
    (message,) = told(tmp_path, "threads = 4\nmemory = = 3\n")
    assert message.startswith("headrace.toml:2:10: this is not TOML")


def test_a_misspelt_variable_is_told_and_a_foreign_one_left_alone(tmp_path):
    assert told(tmp_path, HEADRACE_MEMORY_LIMT="1GB") == [
        "unknown setting `HEADRACE_MEMORY_LIMT` in the environment\n    did you mean `HEADRACE_MEMORY_LIMIT`?"
    ]
    assert load_settings(tmp_path, {"HEADRACE_DB_PASSWORD": "x"}) == Settings()


def test_slots_come_as_a_table_or_from_the_environment(tmp_path):
    (tmp_path / "headrace.toml").write_text("lease_seconds = 2.5\n[slots]\nwarehouse = 2\n")
    assert load_settings(tmp_path, {}) == Settings(lease_seconds=2.5, slots={"warehouse": 2})
    assert load_settings(tmp_path, {"HEADRACE_SLOTS": "warehouse=3, api=1"}).slots == {"warehouse": 3, "api": 1}


def test_outlets_are_tables(tmp_path):
    (tmp_path / "headrace.toml").write_text(
        '[[outbox]]\nwebhook = "https://x/y"\nname = "hook"\ntypes = ["pipeline.*"]\nsecret = "${secret:env/K}"\ntimeout = 5\n'
        '[[outbox]]\nredis = "redis://x"\nstream = "s"\n'
    )
    hook, stream = load_settings(tmp_path, {}).outbox
    assert hook == Outlet("webhook", "https://x/y", "hook", ("pipeline.*",), "${secret:env/K}", timeout=5)
    assert (stream.kind, stream.address, stream.stream, stream.types) == ("redis", "redis://x", "s", ())
    assert stream.name.startswith("redis-")


def test_problems_of_outlets_are_told_with_their_lines(tmp_path):
    text = (
        '[[outbox]]\nname = "a"\n'
        '[[outbox]]\nwebhook = "ftp://user:hunter2@x"\n  typos = ["x"]\n'
        '[[outbox]]\nredis = "redis://x"\nsecret = "s"\ntypes = "pipeline.*"\ntimeout = 0\n'
        '[[outbox]]\nredis = "redis://x"\nname = "n"\n[[outbox]]\nredis = "redis://y"\nname = "n"\n'
    )
    assert told(tmp_path, text) == [
        "headrace.toml:1:1: an outlet has either a `webhook` or a `redis`",
        "headrace.toml:4:1: `webhook` of an outlet must be an address that begins with http:// or https://",
        "headrace.toml:5:1: unknown key `typos` of a webhook outlet\n    did you mean `types`?",
        "headrace.toml:8:1: unknown key `secret` of a redis outlet\n    allowed: redis, name, types, stream, timeout",
        'headrace.toml:9:1: `types` of an outlet must be a list such as `["pipeline.*"]`',
        "headrace.toml:10:1: `timeout` of an outlet must be a number of seconds, at least 1",
        "headrace.toml:14:1: two outlets are called `n`\n    give each a `name`",
    ]


def test_an_outbox_that_is_no_table_is_told(tmp_path):
    assert told(tmp_path, 'threads = 2\noutbox = "https://x"\n') == [
        "headrace.toml:2:1: `outbox` must be written as tables, each under `[[outbox]]`"
    ]
