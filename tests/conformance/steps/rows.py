"""Small random tables that hold what breaks steps: nulls, NaN, infinities, empty texts and lists, duplicates."""

from __future__ import annotations

import math
from datetime import date

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from headrace.business.model.schema import Schema
from headrace.business.model.types import Date, Float, Integer, List, String

#: One database serves all examples of a test.
LAW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCHEMA = Schema.of(k=Integer(32), s=String(), f=Float(64), d=Date(), t=List(String()))

_words = st.sampled_from(["", " ", "a", "A b", " ä  b ", "a\tb\n", "NA", "it's", 'q"', "straße"])

ROW = st.fixed_dictionaries(
    {
        "k": st.none() | st.integers(-2, 2),
        "s": st.none() | _words,
        "f": st.none() | st.sampled_from([0.0, -1.5, 2.25, 1e300, math.nan, math.inf, -math.inf]),
        "d": st.none() | st.sampled_from([date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]),
        "t": st.none() | st.lists(st.none() | _words, max_size=3),
    }
)
ROWS = st.lists(ROW.map(lambda row: {name: row[name] for name in SCHEMA.names}), max_size=12)

OTHER_SCHEMA = Schema.of(k=Integer(64), s=String(), n=String())
OTHER_ROWS = st.lists(
    st.fixed_dictionaries({"k": st.none() | st.integers(-2, 3), "s": st.none() | _words, "n": st.none() | _words}), max_size=6
)
