"""`headrace subscriptions`, `events replay` and the export as CloudEvents, as typed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.integration.runs.project import Project

from headrace import bootstrap
from headrace.bus.cloudevents import read_cloudevent


@pytest.fixture
def ran(project: Project) -> Project:
    project.data("in.csv", ["id"], [[1], [2]])
    project.one()
    project.run()
    return project


def told(project: Project, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert project.cli(*words, "--project", str(project.folder), "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_subscriptions_tell_how_far_they_have_come_and_hear_again(ran: Project, capsys: pytest.CaptureFixture[str]) -> None:
    before = bootstrap.event_store(ran.folder).last()
    told(ran, capsys, "runs", "list")
    (reads,) = told(ran, capsys, "subscriptions", "list")
    assert (reads["name"], reads["position"], reads["behind"]) == ("read side", before, 0)
    assert ran.cli("events", "replay", "read side", "--project", str(ran.folder)) == 0
    (again,) = told(ran, capsys, "subscriptions")
    assert again["behind"] == before
    assert [run["state"] for run in told(ran, capsys, "runs", "list")] == ["succeeded"]


def test_a_subscription_that_is_not_there_is_refused(ran: Project, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--project", str(ran.folder))
    assert ran.cli("events", "replay", "read sid", *where) == 2
    assert "did you mean `read side`?" in capsys.readouterr().err
    assert ran.cli("subscriptions", "retry", "read side", *where) == 2
    assert "has no dead letters" in capsys.readouterr().err
    assert ran.cli("subscriptions", "drop", "read side", "3", *where) == 2
    assert told(ran, capsys, "subscriptions", "dead-letters") == []


def test_what_an_outlet_cannot_send_becomes_a_dead_letter_that_can_be_tried_again(
    ran: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (ran.folder / "headrace.toml").write_text('[[outbox]]\nname = "hook"\nwebhook = "http://127.0.0.1:9/"\n')
    outlet = next(d for d in bootstrap.deliveries(ran.folder) if d.subscription.name == "outbox hook")
    outlet.catch_up()
    ran.run(force=True)
    for _ in range(3):
        outlet.catch_up()
    (standing,) = [s for s in told(ran, capsys, "subscriptions") if s["name"] == "outbox hook"]
    assert standing["behind"] > 0
    assert standing["failures"] > 0
    assert standing["error"]
    assert "127.0.0.1" in standing["error"] or "refused" in standing["error"]


def test_the_log_leaves_as_cloud_events(ran: Project) -> None:
    out = ran.folder / "events.jsonl"
    assert ran.cli("events", "export", "--cloudevents", "--out", str(out), "--project", str(ran.folder)) == 0
    events = [read_cloudevent(line).envelope() for line in out.read_text().splitlines()]
    assert events == list(bootstrap.event_store(ran.folder).read())
