"""How often a run tries again what may pass. Not the trying (see `resilience`)."""

from __future__ import annotations

import sys

from headrace.business.model.definition import Definition
from headrace.resilience.backoff import RetryPolicy

#: How a stream tries again: until it is told to stop.
PATIENT = RetryPolicy(attempts=sys.maxsize, base_delay=0.25, max_delay=10.0)


def policy_of(definition: Definition, *, endless: bool) -> RetryPolicy:
    """As the definition says. A stream that says nothing outlives what is away, however long that takes."""
    return PATIENT if endless and "retry" not in definition.model_fields_set else definition.retry.policy
