"""Profiles as models of their kinds, and definitions that name them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from headrace.business.connections import Answer, Connection, Profile
from headrace.errors import DefinitionError
from headrace.infrastructure.catalog import Catalog
from headrace.infrastructure.loader import load_text, to_yaml
from headrace.infrastructure.loading.connections import Connections


class Lake(Connection):
    """Somewhere else."""

    kind: ClassVar[str] = "lake"
    depth: int = 1

    def shown(self) -> str:
        return f"lake ({self.depth})"

    def reach(self, home: Path) -> Answer:
        return Answer("a lake")


def connections(project: Path, text: str, **env: str) -> Connections:
    (project / "headrace.toml").write_text(text)
    return Connections(project, Catalog({"connections": [Lake]}), env)


def told(project: Path, text: str, **env: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        connections(project, text, **env).all()
    return [str(problem).replace(f"{project}/", "").replace("\n    ", " | ") for problem in caught.value.problems]


def test_every_problem_of_every_profile_is_told_at_its_place(tmp_path):
    text = (
        '[connections.a]\nkind = "postgres"\nhots = "x"\nport = "many"\ntls = "verify-ful"\n'
        '[connections.b]\nkind = "postgre"\n[connections.c]\nhost = "x"\n[connections."d e"]\nkind = "lake"\ndepth = "${params.x}"\n'
        '[connections.e]\nkind = "postgres"\nhost = "${secret:env/HOST}"\n[connections.f]\nkind = "postgres"\n'
        '[connections.g]\nkind = "postgres"\nhost = "x"\nca = "ca.pem"\ntls = "require"\n'
    )
    assert told(tmp_path, text) == [
        "headrace.toml:3:1: unknown key `hots` | did you mean `host`?",
        "headrace.toml:4:8: `port` must be a whole number, not `many`",
        "headrace.toml:5:7: `tls` must be one of `off`, `prefer`, `require`, `verify-ca`, `verify-full`, not `verify-ful` | did you mean `verify-full`?",
        "headrace.toml:7:8: there is no kind of connection `postgre` | did you mean `postgres`?",
        *[p for p in told(tmp_path, text) if ":8:1:" in p],
        "headrace.toml:10:1: `d e` cannot be the name of a connection | letters and digits, with single `_` or `-` between them",
        "headrace.toml:12:9: there is no parameter `x` | a connection has no parameters: refer to the environment, ${env.NAME}, or to a secret, ${secret:env/NAME}",
        "headrace.toml:15:8: a secret cannot stand in `host` | it would be shown in plans and reports",
        "headrace.toml:16:1: give `host`, or the whole address as `url`",
        "headrace.toml:18:1: `ca` means nothing with `tls` require, which verifies nobody: say verify-full, or leave `tls` out",
    ]
    assert any('`c` names no kind | write `kind = "..."`, with one of: ' in p for p in told(tmp_path, text))


def test_a_wrong_value_of_the_environment_is_told_with_its_variable(tmp_path):
    found = told(tmp_path, '[connections.a]\nkind = "lake"\n', HEADRACE_CONNECTION__A__DEPTH="deep")
    assert found == ["HEADRACE_CONNECTION__A__DEPTH: `depth` must be a whole number, not `deep`"]


def test_options_take_the_environment_and_keep_secrets_unread(tmp_path):
    text = '[connections.a]\nkind = "postgres"\nhost = "${env.DB_HOST}"\npassword = "${secret:env/PW}"\n'
    found = connections(tmp_path, text, DB_HOST="db", PW="geheim").find("a").connection
    assert (found.host, found.password.reveal()) == ("db", "geheim")
    assert "geheim" not in repr(found)


PIPELINE = "version: 1\npipeline: p\nsources:\n  t:\n    postgres: {connection: %s, table: t}\n"


def definition(project: Path, name: str):
    catalog = Catalog({"connections": [Lake]})
    return load_text(PIPELINE % name, catalog=catalog, project=project, env={})


def test_a_definition_names_a_connection_and_holds_no_more_than_the_name(tmp_path):
    (tmp_path / "headrace.toml").write_text('[connections.db]\nkind = "postgres"\nhost = "h"\npassword = "geheim"\n')
    loaded = definition(tmp_path, "db").definition
    plugin = loaded.sources["t"].plugin
    assert isinstance(plugin.connection, Profile)
    assert plugin.connection.connection.host == "h"
    assert plugin.connection.home == tmp_path
    assert plugin.model_dump(mode="json", exclude_defaults=True) == {"connection": "db", "table": "t"}
    assert "geheim" not in repr(loaded)
    assert "connection: db" in to_yaml(loaded)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stoer", "pipeline.yaml:5:28: there is no connection `stoer`\n    did you mean `store`?"),
        ("sea", "pipeline.yaml:5:28: `sea` is a connection of kind `lake`, not `postgres`"),
        ("5", "pipeline.yaml:5:28: `connection` must be the name of a connection, not `5`"),
        ("broken", "headrace.toml:5:8: there is no kind of connection `pstgres`\n    did you mean `postgres`?"),
    ],
)
def test_what_is_wrong_with_the_name_is_told_where_it_stands(tmp_path, name, said):
    text = '[connections]\nstore = {kind = "postgres", host = "h"}\nsea = {kind = "lake"}\n[connections.broken]\nkind = "pstgres"\n'
    (tmp_path / "headrace.toml").write_text(text)
    with pytest.raises(DefinitionError) as caught:
        definition(tmp_path, name)
    assert [str(p).replace(f"{tmp_path}/", "") for p in caught.value.problems] == [said]


def test_a_project_without_profiles_is_told_how_to_write_one(tmp_path):
    with pytest.raises(DefinitionError) as caught:
        definition(tmp_path, "db")
    assert "write `[connections.db]` in headrace.toml" in str(caught.value)
