"""What holds for all tests. How long an example takes says something of the machine, and nothing of the code; and what passed once passes
again: the gate tries the same examples each time, and `make search` looks for new ones.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("headrace", settings.get_profile("search"), derandomize=True)
settings.load_profile("headrace")
