"""For people who orchestrate: the orchestrator, its bus and events, retries, circuit breakers, ETL and ELT.

A lazy door to where they live, so that it costs nothing to open.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.application.orchestrator.patterns import ELTPipeline, ETLPipeline
    from headrace.application.orchestrator.pipeline_orchestrator import ExecutionResult, PipelineOrchestrator
    from headrace.bootstrap.orchestrating import Config, event_bus
    from headrace.bus.bus import EventBus
    from headrace.bus.events import (
        DataIngestedEvent,
        DataProcessedEvent,
        DataStagedEvent,
        DataStoredEvent,
        DataValidatedEvent,
        PipelineCancelledEvent,
        PipelineCompletedEvent,
        PipelineFailedEvent,
        PipelineStartedEvent,
        QualityCheckEvent,
    )
    from headrace.errors import CircuitBreakerOpenError, NonRetryableError, RetryableError
    from headrace.resilience.backoff import RetryPolicy
    from headrace.resilience.circuit_breaker import CircuitBreaker
    from headrace.resilience.retry import execute_with_retry

__all__ = [
    "CircuitBreaker",
    "CircuitBreakerOpenError",
    "Config",
    "DataIngestedEvent",
    "DataProcessedEvent",
    "DataStagedEvent",
    "DataStoredEvent",
    "DataValidatedEvent",
    "ELTPipeline",
    "ETLPipeline",
    "EventBus",
    "ExecutionResult",
    "NonRetryableError",
    "PipelineCancelledEvent",
    "PipelineCompletedEvent",
    "PipelineFailedEvent",
    "PipelineOrchestrator",
    "PipelineStartedEvent",
    "QualityCheckEvent",
    "RetryPolicy",
    "RetryableError",
    "event_bus",
    "execute_with_retry",
]

_ROOMS = {
    "headrace.application.orchestrator.patterns": ("ELTPipeline", "ETLPipeline"),
    "headrace.application.orchestrator.pipeline_orchestrator": ("ExecutionResult", "PipelineOrchestrator"),
    "headrace.bootstrap.orchestrating": ("Config", "event_bus"),
    "headrace.bus.bus": ("EventBus",),
    "headrace.bus.events": tuple(name for name in __all__ if name.endswith("Event")),
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
