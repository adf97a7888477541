"""The folder of definitions in service: a changed file becomes a new version, a broken one leaves the old version where it is.

Runs in flight keep the version that they began with; nothing here touches them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from headrace.application.orchestrator.queue import KeptDefinition
from headrace.business.model.definition import Definition, Loaded
from headrace.errors import HeadraceError, NonRetryableError

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class InService:
    """A file of the folder: the version that runs go by (empty: none yet), the file as it was last seen, and what is wrong with it."""

    file: str
    pipeline: str
    definition: str
    digest: str
    problem: str = ""


class ServiceRecords(Protocol):
    """Where is kept what is in service."""

    def all(self) -> Sequence[InService]: ...

    def put(self, file: str, digest: str, kept: KeptDefinition) -> None: ...

    def refuse(self, file: str, digest: str, problem: str) -> None: ...

    def remove(self, file: str) -> None: ...

    def kept(self, fingerprint: str) -> KeptDefinition | None: ...


@dataclass
class DefinitionsFolder:
    """Looks at a folder now and then. Only files that say `pipeline:` at the beginning of a line are definitions."""

    folder: Path
    records: ServiceRecords
    load: Callable[[KeptDefinition], Loaded]
    """Reads a kept text; raises `HeadraceError` with all that is wrong."""
    keep: Callable[[Path, str, Definition | None], KeptDefinition]
    told: Callable[[str], None] = lambda _line: None
    _stats: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _loaded: dict[str, Loaded] = field(default_factory=dict)

    def turn(self) -> None:
        """One look. A file that cannot be read is told of as any other problem."""
        known = {record.file: record for record in self.records.all()}
        present: set[str] = set()
        for path in self._files():
            stat = path.stat()
            name = str(path)
            present.add(name)
            if self._stats.get(path) == (stat.st_mtime_ns, stat.st_size) and name in known:
                continue
            self._stats[path] = (stat.st_mtime_ns, stat.st_size)
            self._look(path, known)
        for name in known.keys() - present:
            self.records.remove(name)
            self.told(f"{name} is gone: `{known[name].pipeline}` is out of service")

    def definitions(self) -> Mapping[str, Loaded]:
        """The pipelines in service, by name, as their versions say."""
        found: dict[str, Loaded] = {}
        for record in self.records.all():
            if record.definition:
                found[record.pipeline] = self._version(record.definition)
        return found

    def kept(self, pipeline: str) -> KeptDefinition | None:
        """The text of the version in service."""
        for record in self.records.all():
            if record.pipeline == pipeline and record.definition:
                return self.records.kept(record.definition)
        return None

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.folder.glob("**/*")):
            hidden = any(part.startswith(".") for part in path.relative_to(self.folder).parts)
            if path.suffix in SUFFIXES and not hidden and path.is_file():
                yield path

    def _look(self, path: Path, known: Mapping[str, InService]) -> None:
        name = str(path)
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        before = known.get(name)
        if before is not None and before.digest == digest:
            return
        if not text.startswith("pipeline:") and "\npipeline:" not in text and before is None:
            return
        try:
            loaded = self.load(self.keep(path, text, None))
            taken = next((r for r in known.values() if r.pipeline == loaded.definition.pipeline and r.file != name), None)
            problem = f"the pipeline `{loaded.definition.pipeline}` is that of {taken.file}" if taken else self._circle(loaded)
        except HeadraceError as error:
            problem = str(error)
        if problem:
            self.records.refuse(name, digest, problem)
            still = f"; version {before.definition} stays in service" if before and before.definition else ""
            self.told(f"{name} is not fit for service{still}:\n{problem}")
            return
        kept = self.keep(path, text, loaded.definition)
        self.records.put(name, digest, kept)
        self.told(f"{name}: `{kept.pipeline}` is in service, version {kept.fingerprint}")

    def _circle(self, loaded: Loaded) -> str:
        """What would let pipelines start each other for ever."""
        starts = {name: _upstream(found.definition) for name, found in self.definitions().items()}
        starts[loaded.definition.pipeline] = _upstream(loaded.definition)
        way, seen = list(starts[loaded.definition.pipeline]), set()
        while way:
            name = way.pop()
            if name == loaded.definition.pipeline:
                return f"`{name}` would start itself: its triggers lead back to it"
            if name not in seen:
                seen.add(name)
                way += starts.get(name, [])
        return ""

    def _version(self, fingerprint: str) -> Loaded:
        if fingerprint not in self._loaded:
            kept = self.records.kept(fingerprint)
            if kept is None:
                raise NonRetryableError(
                    f"version {fingerprint} is in service, but its text is not there", hint="touch its file"
                )
            self._loaded[fingerprint] = self.load(kept)
        return self._loaded[fingerprint]


def _upstream(definition: Definition) -> list[str]:
    return [t.pipeline for t in definition.triggers if t.pipeline is not None]
