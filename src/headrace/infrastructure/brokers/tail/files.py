"""Which file is read now, and which comes behind it: the files of a pattern by their names, or a file and what it is rotated to."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from headrace.business.ports import Position
from headrace.business.streams.messages import Messages, Start
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers.tail.reading import Cut, Mark, OpenFile, Pieces, begins_so
from headrace.infrastructure.brokers.tail.settling import Settling

_ROTATE = "rotate by renaming the file, and keep it until it was read; `on_gap: continue` goes on with what is there"
_ROTATED = re.compile(r"[.-][0-9][0-9T:_.-]*")
#: How the names of files end that are not finished.
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp")


class Followed:
    """A path or pattern, read on from a position."""

    def __init__(self, project: Path, written: str, cut: Cut) -> None:
        self.written, self._cut, self._settling = written, cut, Settling(cut.settle_seconds)
        self._pattern = (project / written).absolute()
        self._many = glob.has_magic(written)
        self._root = _root(self._pattern) if self._many else self._pattern.parent
        self._file: OpenFile | None = None
        #: Behind which name the next file has to stand, of a pattern; and how large those were that are finished.
        self._behind = ""
        self._finished: dict[str, int] = {}
        self._rotated: list[Path] = []

    def open(self, position: Position | None, start: Start) -> Followed:
        """Find where to go on. Raises `NonRetryableError` where the file of a position is not there any more."""
        if not self._root.is_dir():
            raise NonRetryableError(f"there is no folder {self._root}", hint="create it, or mend `path`")
        if position is None:
            self._begin(start)
        else:
            mark = Mark.of(position, f"`{self.written}`")
            if self._many:
                self._resume(mark)
            else:
                self._resume_rotated(mark)
        return self

    def read(self, most: int) -> Messages | None:
        """What has come, None when there is nothing."""
        while True:
            if self._file is None and not self._next():
                return None
            pieces = self._pieces(most)
            if pieces is not None:
                return self._messages(pieces)
            if not self._leave():
                return None

    def waiting(self) -> int | None:
        """How many messages wait: 0 when all is read, of whole files their number, else None."""
        names = self._names() if self._many else ()
        behind = [name for name in names if name > self._behind]
        unread = self._file is not None and self._file.offset < self._file.size
        if self._cut.message == "file":
            return len(behind) + unread
        following = behind or self._rotated or (not self._many and self._file is None and self._pattern.exists())
        return None if unread or following else 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _pieces(self, most: int) -> Pieces | None:
        if self._file is not None:
            self._demand_not_cut_short(self._file)
        file = self._file
        if file is None:
            return None
        if self._cut.message != "file":
            return file.lines(most, self._cut, finished=self._is_finished(file))
        return file.whole() if self._settling.left_alone(file.changed_at) else None

    def _messages(self, pieces: Pieces) -> Messages:
        return Messages(self.written, pieces.payloads, pieces.positions, pieces.last)

    def _is_finished(self, file: OpenFile) -> bool:
        """Whether nothing more comes to the file: another follows it, and it was left alone for a while."""
        return self._follows(file) and self._settling.left_alone(file.changed_at)

    def _follows(self, file: OpenFile) -> bool:
        if self._many:
            return any(name > self._behind for name in self._names())
        if self._rotated:
            return True
        try:
            return self._pattern.stat().st_ino != file.inode
        except FileNotFoundError:
            return False

    def _leave(self) -> bool:
        """Whether the file is read to its end and the next one can be begun."""
        file = self._file
        if file is None:
            return True
        if self._cut.message == "file":
            over = self._settling.left_alone(file.changed_at) and (file.offset > 0 or file.size == 0)
        else:
            over = self._is_finished(file) and file.offset >= file.size
        if over:
            self._finished[file.name] = file.offset
            if not self._many and not self._rotated:
                self._rotated = self._begun_after(file)
            self.close()
        return over

    def _next(self) -> bool:
        """Begin the next file, if there is one."""
        if self._many:
            names = self._names()
            self._demand_nothing_before(names)
            following = next((name for name in names if name > self._behind), None)
            if following is None:
                return False
            self._behind = following
            return self._opened(self._root / following, following)
        path = self._rotated.pop(0) if self._rotated else self._pattern
        return self._opened(path, path.name)

    def _opened(self, path: Path, name: str, offset: int = 0) -> bool:
        try:
            self._file = OpenFile(path, name, offset)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise RetryableError(f"{path} cannot be read: {error.strerror}", hint="see who may read it") from None
        return True

    def _names(self) -> Sequence[str]:
        """The files of the pattern, in order, by their names below the folder that is fixed."""
        found = (path for path in self._root.glob(str(self._pattern.relative_to(self._root))) if path.is_file())
        return sorted(str(path.relative_to(self._root)) for path in found if not _is_unfinished(path.name))

    def _begin(self, start: Start) -> None:
        """Where there is no position: with all that is there, with what comes, or with files that were changed at that time or later."""
        if start == "earliest":
            return
        names = self._names() if self._many else [self._pattern.name] * self._pattern.exists()
        if isinstance(start, datetime):
            changed = [name for name in names if (self._root / name).stat().st_mtime >= start.timestamp()]
            names = [name for name in names if not changed or name < changed[0]]
        if not names:
            return
        self._behind = names[-1]
        self._finished = {name: (self._root / name).stat().st_size for name in names}
        if self._opened(self._root / names[-1], names[-1]) and self._file is not None:
            self._file.offset = self._file.last_line_end() if self._cut.message != "file" else self._file.size

    def _resume(self, mark: Mark) -> None:
        """Go on in the file of a pattern; one that was taken away was read to its end, for all that is known."""
        path = self._root / mark.name
        self._behind = mark.name
        self._finished = {name: (self._root / name).stat().st_size for name in self._names() if name < mark.name}
        if not path.exists():
            return
        if begins_so(path, mark):
            self._opened(path, mark.name, mark.offset)
        elif self._cut.on_gap == "fail":
            raise NonRetryableError(
                f"{path} is not the file any more that was read up to byte {mark.offset}: it is shorter, or begins otherwise",
                hint=_ROTATE,
            )
        else:
            self._opened(path, mark.name)

    def _resume_rotated(self, mark: Mark) -> None:
        """Go on in the file, or in what it was rotated to; what was begun later is read behind that."""
        path = self._pattern
        if begins_so(path, mark):
            self._opened(path, path.name, mark.offset)
            return
        found = next((sibling for sibling in self._siblings() if begins_so(sibling, mark)), None)
        if found is not None:
            self._opened(found, found.name, mark.offset)
        elif self._cut.on_gap == "fail":
            raise NonRetryableError(
                f"neither {path} nor a file that it was rotated to is the one that was read up to byte {mark.offset}",
                hint=_ROTATE,
            )

    def _siblings(self) -> Sequence[Path]:
        """What the file was rotated to, oldest first: its name with a number or a date behind it."""
        name = self._pattern.name
        there = [
            path for path in self._root.iterdir() if path.name.startswith(name) and _ROTATED.fullmatch(path.name[len(name) :])
        ]
        return sorted(there, key=lambda path: path.stat().st_mtime_ns)

    def _begun_after(self, file: OpenFile) -> list[Path]:
        """The files that were begun and rotated since this one was."""
        older = self._siblings()
        own = next((number for number, path in enumerate(older) if path.stat().st_ino == file.inode), len(older))
        return list(older[own + 1 :])

    def _demand_not_cut_short(self, file: OpenFile) -> None:
        if file.is_the_same():
            return
        if self._cut.on_gap == "fail":
            raise NonRetryableError(
                f"{file.path} was cut short or written anew after {file.offset} bytes of it were read; what came in between may be lost",
                hint=_ROTATE,
            )
        self.close()
        self._opened(file.path, file.name)

    def _demand_nothing_before(self, names: Sequence[str]) -> None:
        """No file comes before one that was begun, and none that was finished has changed."""
        for name in names:
            if name >= self._behind:
                return
            if name not in self._finished:
                said = f"the file {name} came behind {self._behind}, and its name stands before it: it would never be read"
            elif (self._root / name).stat().st_size != self._finished[name]:
                said = f"the file {name} has changed after it was finished and {self._behind} begun: what came to it would never be read"
            else:
                continue
            if self._cut.on_gap == "fail":
                raise NonRetryableError(said, hint="name files in the order in which they come, and leave them alone; "
                                        "`on_gap: continue` leaves out what comes too late")  # fmt: skip


def _is_unfinished(name: str) -> bool:
    return name.startswith(".") or name.endswith(_UNFINISHED)


def _root(pattern: Path) -> Path:
    """The folder that the pattern begins with, up to its first wildcard."""
    fixed = next(number for number, part in enumerate(pattern.parts) if glob.has_magic(part))
    return Path(*pattern.parts[:fixed])
