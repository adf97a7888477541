"""The base of everything that a definition can name: sources, steps, checks and sinks. Not what each of them must do (see
`ports`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Plugin(BaseModel):
    """A frozen model whose fields are the options that a definition may give; unknown ones are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True, hide_input_in_errors=True
    )

    kind: ClassVar[str]
    """The word by which definitions name it: `file`, `filter`, `row_count`."""

    shorthand: ClassVar[str | None] = None
    """The option that a bare value stands for: `limit: 10` is `limit: {rows: 10}`."""

    keeps_columns: ClassVar[bool] = False
    """Whether a step passes on just the columns that it is given; then what stands behind it can be checked even if it is wrong."""

    @classmethod
    def written(cls, value: Any) -> Any:
        """The options that stand behind the plugin's name in a definition: a bare value is that of `shorthand`, none is none.

        A plugin whose options are names of the user's choice (`derive: {speed: distance / hours}`) overrides this.
        """
        if value is None:
            return {}
        return value if isinstance(value, Mapping) or cls.shorthand is None else {cls.shorthand: value}
