"""What a source does when its broker has dropped messages before they were read: an option, and nothing else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

OnGap = Literal["fail", "continue"]
OnGapOption = Annotated[
    OnGap,
    Field(
        description="What to do when the broker has dropped messages before they were read: fail, or continue with what is there"
    ),
]
