"""Composes `headrace chaos`: a proving ground for the copies of a project. It decides nothing about kills."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.bootstrap import parts

if TYPE_CHECKING:
    from headrace.application.orchestrator.chaos import Proof, Trial, Wanted
    from headrace.application.orchestrator.queue import RunRequest
    from headrace.business.model.definition import Loaded


def chaos(loaded: Loaded, params: Mapping[str, str], wanted: Wanted, told: Callable[[int, Trial], None]) -> Proof:
    """Prove a pipeline against deaths, on copies that are gone afterwards."""
    from headrace.application.orchestrator.chaos import prove
    from headrace.application.orchestrator.scheduler import request_for
    from headrace.bus.store import Origin
    from headrace.errors import UsageError
    from headrace.infrastructure.proving_ground import ProvingGround

    file = loaded.file
    if file is None:
        raise UsageError("chaos needs a pipeline in a file", hint="`headrace chaos pipeline.yaml`")

    def requested(copy: Path, anew: bool) -> RunRequest:
        there = parts.load(copy / file.resolve().relative_to(loaded.project.resolve()), params)
        values = {**params, **there.params}
        request = request_for(there.definition, copy, parts.kept(there), values, "chaos", None, Origin(actor="chaos"))
        return replace(request, options={"full_refresh": anew})

    with tempfile.TemporaryDirectory(prefix="headrace-chaos-") as room:
        ground = ProvingGround(loaded.project, _written(loaded.project), loaded.definition, requested, Path(room))
        return prove(loaded.definition, loaded.project, ground, wanted, told)


def _written(project: Path) -> Mapping[str, Any]:
    """The settings of a project as they stand in its file."""
    import tomllib

    from headrace.settings import FILE

    file = parts.state_home(project) / FILE
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
