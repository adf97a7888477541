"""For people who orchestrate: retries, circuit breakers, ETL and ELT. A lazy door to where they live, so that it costs nothing to open."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.application.orchestrator.patterns import ELTPipeline, ETLPipeline
    from headrace.errors import CircuitBreakerOpenError, NonRetryableError, RetryableError
    from headrace.resilience.backoff import RetryPolicy
    from headrace.resilience.circuit_breaker import CircuitBreaker
    from headrace.resilience.retry import execute_with_retry

__all__ = [
    "CircuitBreaker",
    "CircuitBreakerOpenError",
    "ELTPipeline",
    "ETLPipeline",
    "NonRetryableError",
    "RetryPolicy",
    "RetryableError",
    "execute_with_retry",
]

_ROOMS = {
    "headrace.application.orchestrator.patterns": ("ELTPipeline", "ETLPipeline"),
    "headrace.errors": ("CircuitBreakerOpenError", "NonRetryableError", "RetryableError"),
    "headrace.resilience.backoff": ("RetryPolicy",),
    "headrace.resilience.circuit_breaker": ("CircuitBreaker",),
    "headrace.resilience.retry": ("execute_with_retry",),
}


def __getattr__(name: str) -> Any:
    room = next((room for room, names in _ROOMS.items() if name in names), None)
    if room is None:
        raise AttributeError(f"module 'headrace.orchestration' has no attribute '{name}'")
    return getattr(import_module(room), name)


def __dir__() -> list[str]:
    return __all__
