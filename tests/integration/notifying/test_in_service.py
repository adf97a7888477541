"""Whole: a definition with secrets, its runs, who is told by each way, and what of it is found on disk."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.integration.notifying.conftest import CANARY
from tests.integration.notifying.servers import hook, mail_server

from headrace import bootstrap
from headrace.bootstrap.serving import notifications
from headrace.errors import AuditFailed

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "notifications.md"


def test_a_failing_pipeline_and_its_recovery_are_told_in_every_way_and_leave_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    file = tmp_path / "orders.yaml"
    with hook() as server, mail_server() as mail:
        monkeypatch.setenv("ALERT_URL", f"{server.url}/{CANARY}")
        tell = tmp_path / "tell.py"
        tell.write_text(
            "import os, sys; open('told', 'a').write(os.environ['HEADRACE_OCCASION'] + sys.stdin.read()[:1] + '\\n')"
        )
        file.write_text(
            "pipeline: orders\n"
            "sources: {orders: {file: orders.csv}}\n"
            "checks: [{row_count: {min: 2}}]\n"
            "sinks: [{file: {path: out/}}]\n"
            "notify:\n"
            "  - on: [failed, recovered]\n"
            "    webhook: {url: '${secret:env/ALERT_URL}', headers: {Authorization: 'Bearer ${secret:env/CANARY}'}}\n"
            "  - on: [failed, recovered]\n"
            f"    email: {{to: people@example.com, from: h@example.com, server: '{mail.server}', security: none}}\n"
            "  - on: [failed, recovered]\n"
            f"    command: ['{sys.executable}', tell.py]\n"
        )
        loaded = bootstrap.load(file)
        telling = notifications(tmp_path, lambda: {"orders": loaded})
        telling.turn()
        (tmp_path / "orders.csv").write_text("id,name\n1,Zoe\n")
        with pytest.raises(AuditFailed):
            bootstrap.run(loaded)
        telling.turn()
        (tmp_path / "orders.csv").write_text("id,name\n1,Zoe\n2,Ada\n")
        bootstrap.run(loaded)
        telling.turn()
    assert [body["occasion"] for body in server.bodies] == ["failed", "recovered"]
    assert server.bodies[0]["summary"].startswith("orders failed: checks did not pass: row_count")
    assert server.headers[0]["Authorization"] == f"Bearer {CANARY}"
    assert [letter["Subject"].partition(" ")[0] for letter in mail.letters] == ["[failed]", "[recovered]"]
    assert (tmp_path / "told").read_text().splitlines() == ["failed{", "recovered{"]
    sent = list(bootstrap.event_store(tmp_path).read(types=["notification.sent/1"]))
    assert [event.data["error"] for event in sent] == [None] * 6
    state = [path for path in (tmp_path / ".headrace").rglob("*") if path.is_file()]
    assert state
    for secret in (CANARY, server.url, "people@example.com"):
        assert [path for path in state if path.name != "headrace.db-wal" and secret.encode() in path.read_bytes()] == []
    assert CANARY not in str([event.data for event in bootstrap.event_store(tmp_path).read()])
    assert shape(server.bodies[0]) == shape(documented())


def documented() -> dict[str, Any]:
    found = re.search(r"^```json\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    body: dict[str, Any] = json.loads(found[1])
    return body


def shape(value: Any) -> Any:
    """The members of a document, but for those whose names are the pipeline's own."""
    if isinstance(value, Mapping):
        return {name: None if name in ("rules", "checks") else shape(inner) for name, inner in value.items()}
    return None
