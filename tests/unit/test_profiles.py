"""Connection profiles as they are written in `headrace.toml` and the environment."""

from __future__ import annotations

import pytest

from headrace.errors import DefinitionError
from headrace.settings import load_settings


def profiles(project, text: str, **env: str):
    (project / "headrace.toml").write_text(text)
    return load_settings(project, env).connections


def test_a_profile_is_a_table_with_the_place_of_every_option(tmp_path):
    found = profiles(tmp_path, 'threads = 1\n[connections.warehouse]\nkind = "postgres"\n  port =   5433\n')["warehouse"]
    assert found.options == {"kind": "postgres", "port": 5433}
    key, value = found.place("port", on_key=True), found.place("port", on_key=False)
    assert (key.line, key.column, value.line, value.column) == (4, 3, 4, 12)


@pytest.mark.parametrize(
    "text",
    [
        '[connections.w]\nkind = "postgres"\nhost = "db"\n',
        '[connections]\nw.kind = "postgres"\nw.host = "db"\n',
        'connections.w.kind = "postgres"\nconnections.w.host = "db"\n',
        'connections = {w = {kind = "postgres", host = "db"}}\n',
        "[ connections . 'w' ]\nkind = '''postgres'''\nhost = \"\"\"db\"\"\"\n",
    ],
)
def test_every_way_of_writing_a_table_means_the_same(tmp_path, text):
    found = profiles(tmp_path, text)["w"]
    assert found.options == {"kind": "postgres", "host": "db"}
    assert found.place("host", on_key=False).file.endswith("headrace.toml")


def test_what_stands_in_a_text_of_several_lines_is_no_key(tmp_path):
    text = '[connections.a]\nnote = """\n[connections.b]\nhost = "wrong"\n"""\nhost = "right"\n'
    assert profiles(tmp_path, text)["a"].place("host", on_key=True).line == 6


def test_the_environment_stands_over_the_file_and_alone(tmp_path):
    found = profiles(
        tmp_path,
        '[connections.ware-house]\nkind = "postgres"\nhost = "a"\n',
        HEADRACE_CONNECTION__WARE_HOUSE__HOST="b",
        HEADRACE_CONNECTION__LAKE__KIND="postgres",
        HEADRACE_CONNECTION__LAKE__URL="",
    )
    assert found["ware-house"].options == {"kind": "postgres", "host": "b"}
    assert found["ware-house"].place("host", on_key=False) is None
    assert found["lake"].options == {"kind": "postgres"}


def test_connections_that_are_no_tables_are_refused_at_their_place(tmp_path):
    with pytest.raises(DefinitionError) as caught:
        profiles(tmp_path, 'threads = 1\nconnections = "warehouse"\n')
    assert str(caught.value).endswith(
        "headrace.toml:2:1: `connections` must be written as tables, each under `[connections.NAME]`"
    )


def test_no_secret_of_a_profile_is_shown(tmp_path):
    found = profiles(tmp_path, '[connections.w]\npassword = "geheim"\n', HEADRACE_CONNECTION__W__USER="wer")
    assert "geheim" not in repr(found)
    assert "wer" not in repr(found)
