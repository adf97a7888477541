"""The source `tail`: files that grow, and folders that files come to, read as messages behind the byte that was read last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from headrace.business.model.durations import Duration
from headrace.business.ports import Position
from headrace.business.streams.messages import Feed, Sharing, Start
from headrace.infrastructure.brokers.gaps import OnGapOption
from headrace.infrastructure.brokers.message_options import MessageOptions, OneOrMore
from headrace.infrastructure.brokers.tail.feed import TailFeed
from headrace.infrastructure.brokers.tail.files import Followed
from headrace.infrastructure.brokers.tail.reading import Cut


class TailSource(MessageOptions):
    """Growing files, and files that come to a folder. Each path or pattern is a partition."""

    kind: ClassVar[str] = "tail"
    shorthand: ClassVar[str | None] = "path"

    path: OneOrMore = Field(
        description="A file that grows, such as logs/app.log, which may be rotated by renaming it; or a pattern such as inbox/*.json, "
        "whose files are read in the order of their names. Or several of them"
    )
    message: Literal["line", "block", "file"] = Field(
        "line", description="What a message is: a line, whole lines that are there together, or a whole file"
    )
    block_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = Field(
        1 << 20, description="How large a block is at the most; a line that is longer is a block of its own"
    )
    settle: Duration = Field(
        timedelta(seconds=1),
        description="How long a file has to be left unchanged until it is finished. Then its last line needs no line end, the next file "
        "is begun, and a whole file is read",
    )
    on_gap: OnGapOption = "fail"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.message == "file" and any("*" not in path and "?" not in path and "[" not in path for path in self.path):
            raise ValueError("whole files are messages of a pattern: write for example `inbox/*.json`")
        return self

    @property
    def replayable(self) -> bool:
        return True

    def durability(self) -> Sequence[str]:
        return (
            "A file keeps what its writer has synced; what a machine that fails has not written down is lost.",
            "A file that is cut short and written anew may lose what came since it was read last: rotate by renaming.",
        )

    def feed(self, project: Path, sharing: Sharing, after: Mapping[str, Position], start: Start | None = None) -> Feed:
        cut = Cut(self.message, self.block_bytes, self.settle.total_seconds(), self.on_gap)
        followed = {
            path: Followed(project, path, cut).open(after.get(path), start or self.start)
            for number, path in enumerate(self.path)
            if sharing.mine(number)
        }
        return TailFeed(followed)
