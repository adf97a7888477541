"""What the tests of notifications share: a definition that says who is told, a message, and an authority that this process trusts."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from headrace.application.orchestrator.message import Message
from headrace.business.model.definition import Definition, Loaded
from headrace.business.model.notifications import Notification
from headrace.security.secrets import Vault

CANARY = "c4n4ry-s3cr3t"

FACTS = {
    "occasion": "failed",
    "change": "opened",
    "trouble": "failed",
    "pipeline": "orders",
    "notification": "ops",
    "alert": "orders/ops/failed",
    "check": None,
    "summary": "orders failed: checks did not pass: row_count",
    "opened_at": "2024-03-01T06:00:05+00:00",
    "at": "2024-03-01T06:00:05+00:00",
    "run": {
        "id": "20240301-060000-abcdef",
        "state": "failed",
        "trigger": "schedule",
        "started_at": "2024-03-01T06:00:00+00:00",
        "ended_at": "2024-03-01T06:00:05+00:00",
        "rows": {"read": 10, "written": 0, "quarantined": 2},
        "rules": {"orders: amount at_least 0": 2},
        "checks": {"row_count": "fail"},
        "error": {"kind": "AuditFailed", "reason": "checks did not pass: row_count"},
    },
    "tick": None,
}
MESSAGE = Message("db-1", FACTS)

Tells = Callable[..., tuple[Loaded, Notification]]


@pytest.fixture
def tells(tmp_path: Path) -> Tells:
    """A definition with one notification that tells in this way."""

    def made(**way: Any) -> tuple[Loaded, Notification]:
        notification = Notification(name="ops", on=("failed",), **way)
        definition = Definition(pipeline="orders", sources={}, notify=(notification,))
        return Loaded(definition=definition, project=tmp_path), notification

    return made


@pytest.fixture
def vault() -> Vault:
    return Vault.of(Path(), {"CANARY": CANARY})


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certified(authority: trustme.CA) -> ssl.SSLContext:
    """For servers on this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process trusts the authority, as users let theirs do."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
