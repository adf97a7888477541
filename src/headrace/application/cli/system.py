"""What the command line needs of the composed system. `bootstrap` is it; tests may give another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from headrace.application.orchestrator.backfills import Backfills
from headrace.application.orchestrator.carrying import Prepared
from headrace.application.orchestrator.in_service import InService
from headrace.application.orchestrator.pauses import Pauses
from headrace.application.orchestrator.queue import KeptDefinition
from headrace.application.orchestrator.site import Busy, Site
from headrace.application.orchestrator.sources import Attempted
from headrace.application.queries.quarantine import Held
from headrace.application.queries.records import Records
from headrace.application.queries.runs import RunView
from headrace.application.streams.progress import Progress
from headrace.bus.chain import Verified
from headrace.bus.store import Envelope
from headrace.bus.subscriptions import DeadLetter, Standing
from headrace.business.connections import Profile
from headrace.business.engine import Litter, Statement
from headrace.business.model.definition import Loaded
from headrace.business.processing.plan import Plan
from headrace.business.streams.dead_letters import DeadLetters
from headrace.business.streams.state import StateStore
from headrace.errors import DefinitionError, HeadraceError

if TYPE_CHECKING:
    from headrace.application.orchestrator.chaos import Proof, Trial, Wanted
    from headrace.application.orchestrator.crew import Crew
    from headrace.application.orchestrator.rehearsal import Rehearsed


class KeptRows(Protocol):
    """The rows that are held back, as the commands read them."""

    def rows(self, path: Path, reason: str | None, limit: int) -> Sequence[Mapping[str, Any]]: ...

    def columns(self, path: Path) -> Sequence[str]: ...

    def export(self, path: Path, reason: str | None, columns: Sequence[str], out: Path) -> int: ...


class Subscriptions(Protocol):
    """The durable subscriptions of a project, and what they could not take."""

    def standing(self) -> Sequence[Standing]: ...

    def dead_letters(self, name: str | None = None) -> Sequence[DeadLetter]: ...

    def retry(self, name: str, position: int | None = None) -> int: ...

    def drop(self, name: str, position: int | None = None) -> int: ...


class Loop(Protocol):
    """A process that carries runs out."""

    stopping: threading.Event

    def run(self, drain_seconds: float) -> None: ...


class Serving(Protocol):
    """A composed process: what it works for, its loop, and the duties beside it, which run within their context."""

    @property
    def home(self) -> Path: ...

    @property
    def loop(self) -> Loop: ...

    @property
    def duties(self) -> AbstractContextManager[object] | None: ...


class System(Protocol):
    """The operations behind the commands. All raise `HeadraceError` with a message for people."""

    def load(self, file: Path, params: Mapping[str, str] | None = None) -> Loaded: ...

    def plan(self, loaded: Loaded) -> Plan: ...

    def statements(self, loaded: Loaded, plan: Plan) -> Sequence[Statement]: ...

    def run(
        self,
        loaded: Loaded,
        *,
        params: Mapping[str, Any] | None = None,
        full_refresh: bool = False,
        force: bool = False,
        priority: int | None = None,
        start: str | None = None,
        busy: Busy | None = None,
        listen: Callable[[Envelope], None] | None = None,
        watch: Callable[[Progress], None] | None = None,
    ) -> RunView: ...

    def alone(self) -> AbstractContextManager[None]: ...

    def site(self, project: Path, busy: Busy | None = None, listen: Callable[[Envelope], None] | None = None) -> Site: ...

    def prepare(self, loaded: Loaded, where: Site | None = None, attempted: Attempted | None = None) -> Prepared: ...

    def kept(self, loaded: Loaded) -> KeptDefinition: ...

    def load_kept(self, definition: KeptDefinition, params: Mapping[str, Any]) -> Loaded: ...

    def user(self) -> str: ...

    def definitions(self, project: Path) -> Sequence[tuple[Path, Loaded | DefinitionError]]: ...

    def in_service(self, project: Path) -> Sequence[tuple[InService, Loaded | DefinitionError | None]]: ...

    def pauses(self, project: Path) -> Pauses: ...

    def backfills(self, project: Path) -> Backfills: ...

    def verify_log(self, project: Path) -> Verified: ...

    def test(self, loaded: Loaded) -> Sequence[Rehearsed]: ...

    def chaos(self, loaded: Loaded, params: Mapping[str, str], wanted: Wanted, told: Callable[[Trial], None]) -> Proof: ...

    def held(self) -> KeptRows: ...

    def replay(
        self, loaded: Loaded, wanted: Held, mended: Path | None, *, params: Mapping[str, Any] | None = None
    ) -> RunView: ...

    def propose_contract(self, file: Path) -> str: ...

    def contract_as_standard(self, loaded: Loaded, dataset: str) -> str: ...

    def contract_from_standard(self, file: Path) -> tuple[str, Sequence[str]]: ...

    def serve(self, project: Path, parallel: int, told: Callable[[str], None]) -> Serving: ...

    def worker(self, project: Path, parallel: int, told: Callable[[str], None]) -> Serving: ...

    def clean(self, project: Path, *, pretend: bool = False) -> Sequence[Litter]: ...

    def crew(self, project: Path, parallel: int) -> Crew: ...

    def bury_the_dead(self, project: Path) -> None: ...

    def dead_letters(self, project: Path) -> Sequence[tuple[str, str, DeadLetters]]:
        """What streams could not read, by stream and source."""
        ...

    def stream_states(self, project: Path, shared: str | None = None) -> Mapping[str, StateStore]:
        """The store of each stream: those in the state folder, or behind the connection of that name."""
        ...

    def remove_stream(self, project: Path, stream: str, shared: str | None = None) -> None: ...

    def state_folder(self, project: Path) -> Path: ...

    def event_store(self, project: Path) -> Records: ...

    def connection(self, project: Path, name: str) -> Profile[Any]: ...

    def connections(self, project: Path) -> Mapping[str, Profile[Any]]: ...

    def subscriptions(self, project: Path) -> Subscriptions: ...

    def replay_subscription(self, project: Path, name: str, after: int = 0) -> None: ...

    def cloud_events(self, project: Path, after: int = 0) -> Iterable[Mapping[str, Any]]: ...

    def missing_library(self, error: ImportError) -> HeadraceError | None:
        """What to install, when an optional library is what could not be imported."""
        ...

    def schema(self) -> Mapping[str, Any]: ...

    def report(self, run: RunView, form: str) -> str: ...
