"""What every part of a definition is made of, whatever it says. Not the parts themselves."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A part of a definition: unknown keys are refused, and nothing changes after it was made."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True, hide_input_in_errors=True
    )
