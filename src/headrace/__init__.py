"""Headrace: declarative data pipelines. A lazy door to `headrace.face`, so that importing the package costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.face import Pipeline, check, contract, plan, run, sink, source, step

__all__ = ["Pipeline", "check", "contract", "plan", "run", "sink", "source", "step"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'headrace' has no attribute '{name}'")
    from headrace import face

    return getattr(face, name)


def __dir__() -> list[str]:
    return __all__
