"""Where sinks have come apart, a worker's run closes the gap and asks for the rest, once, before it ends."""

from __future__ import annotations

from pathlib import Path

from headrace import bootstrap
from headrace.application.orchestrator.batch import Wish, request_for
from headrace.application.orchestrator.queue import Lease
from headrace.application.orchestrator.site import Site
from headrace.bootstrap.serving import carry_out_claimed

ONE = "  - {name: one, file: {path: one/, format: csv, mode: append}}\n"
TWO = "  - {name: two, file: {path: two/, format: csv, mode: append}}\n"
DEFINITION = "pipeline: p\nsources:\n  rows:\n    file: {path: in/*.csv}\n    incremental: {by: file}\nsinks:\n"


def claimed(site: Site) -> Lease:
    lease = site.queue.claim(site.worker)
    assert lease is not None
    return lease


def rows(folder: Path) -> list[str]:
    return sorted(line for file in folder.rglob("*.csv") for line in file.read_text().splitlines()[1:])


def test_the_rest_is_asked_for_once_however_often_its_run_is_carried_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("x\n1\n")
    file = tmp_path / "pipeline.yaml"
    file.write_text(DEFINITION + ONE)
    bootstrap.run(bootstrap.load(file))
    (tmp_path / "in" / "b.csv").write_text("x\n2\n")
    file.write_text(DEFINITION + ONE + TWO)
    site, loaded = bootstrap.site(tmp_path), bootstrap.load(file)

    request = request_for(site, loaded.definition, Wish({}, bootstrap.kept(loaded)), "first")
    site.queue.submit(request)
    carry_out_claimed(tmp_path, claimed(site))
    assert (rows(tmp_path / "one"), rows(tmp_path / "two")) == (["1"], ["1"]), "the gap is closed first"
    (behind,) = site.queue.outstanding()
    asked = next(e.data for e in site.bus.store.read(behind.run_id))
    assert asked["key"] == "behind:first"
    carry_out_claimed(tmp_path, claimed(site))
    assert (rows(tmp_path / "one"), rows(tmp_path / "two")) == (["1", "2"], ["1", "2"])
    assert site.queue.outstanding() == []
