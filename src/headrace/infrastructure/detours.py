"""The servers behind addresses of PostgreSQL, and other ways to them: `headrace chaos` leads connections through a relay that can cut
them. Where it is not said otherwise, every connection goes straight.

HEADRACE_DETOURS="postgres://db:5432=127.0.0.1:40001 postgres://..."
"""

from __future__ import annotations

import os
from typing import Any

VARIABLE = "HEADRACE_DETOURS"


def system_of(url: str) -> str:
    """The server behind an address, by which all who reach it know it: without user, password and database."""
    found = parts_of(url)
    return f"postgres://{found.get('host') or 'localhost'}:{found.get('port') or 5432}" if found else "postgres"


def parts_of(url: str) -> dict[str, Any]:
    """The parts of an address; nothing when it is none."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        return dict(conninfo_to_dict(url))
    except ProgrammingError:
        return {}


def led_to(url: str) -> str:
    """The address to connect to. On a detour the name of the host stays, so that its certificate is judged as ever."""
    detours = os.environ.get(VARIABLE)
    if not detours:
        return url
    by_system = dict(detour.rsplit("=", 1) for detour in detours.split())
    way = by_system.get(system_of(url))
    if way is None:
        return url
    from psycopg.conninfo import make_conninfo

    address, _, port = way.rpartition(":")
    return make_conninfo(url, hostaddr=address, port=port)
