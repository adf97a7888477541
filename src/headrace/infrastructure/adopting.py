"""Loaded by the server of `children`, and by nothing else: lets the orphans of runs that died fall to it, where the worker finds them.

The one module that does something when it is imported. What the standard library's server loads before it forks is the only code of
ours that it carries out itself.
"""

from __future__ import annotations

import warnings

from headrace.infrastructure.descendants import adopt_orphans

adopt_orphans()
# It buries all that fall to it, and would warn of each that it has not forked itself.
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")
