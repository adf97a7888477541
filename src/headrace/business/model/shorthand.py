"""Options that have a short writing: how it is read, and what editors are told of it. Not the short writings themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from headrace.records import record


@record
class Shorthand:
    """Annotates an option: `read` makes its long form of a short one, and leaves a long one alone.

    The short form is that of the field `of` inside the long one, or what the JSON Schema `also` says.
    """

    read: Callable[[Any], Any]
    of: str | None = None
    also: tuple[tuple[str, Any], ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        long = handler(schema)
        inside = handler.resolve_ref_schema(long).get("properties", {})
        short = [inside[self.of]] if self.of in inside else []
        return {"anyOf": [*short, *([dict(self.also)] if self.also else []), long]}
