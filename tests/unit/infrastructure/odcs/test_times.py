"""Date formats between Java's letters and ours."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.business.processing.expressions.time_formats import LETTERS
from headrace.infrastructure.odcs.times import from_java, to_java


@pytest.mark.parametrize(
    ("java", "ours"),
    [
        ("yyyy-MM-dd", "%Y-%m-%d"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "%Y-%m-%dT%H:%M:%S%z"),
        ("yyyy-MM-ddTHH:mm:ssZ", "%Y-%m-%dT%H:%M:%S%z"),
        ("dd/MM/yy", "%d/%m/%y"),
        ("d. MMMM uuuu", "%-d. %B %Y"),
        ("EEE, hh:mm a", "%a, %I:%M %p"),
        ("HH:mm:ss.SSS", "%H:%M:%S.%f"),
        ("'it''s' yyyy '%'", "it's %Y %%"),
        ("''yyyy", "'%Y"),
    ],
)
def test_formats_are_translated(java, ours):
    assert from_java(java) == ours
    assert set(ours) & {"%"}


@pytest.mark.parametrize("java", ["YYYY-MM-dd", "yyyy-MM-DD", "yyy", "n", "yyyy-QQ", "'open", "HHH", "MMMMM"])
def test_letters_without_a_like_are_refused(java):
    with pytest.raises(ValueError, match=r"no like here|never closed"):
        from_java(java)


def test_letters_of_the_week_year_are_probably_meant_otherwise():
    with pytest.raises(ValueError, match="did you mean `yyyy`"):
        from_java("YYYY-MM-dd")


PARTS = st.lists(st.one_of(st.sampled_from(sorted(LETTERS)), st.text("-/.: TZay'%é".replace("%", ""), max_size=3)), max_size=8)


@given(PARTS)
def test_what_is_written_reads_back(parts):
    ours = "".join(parts)
    java = to_java(ours)
    assert java is None or from_java(java) == ours


@given(st.datetimes(datetime(1000, 1, 1)))  # noqa: DTZ001 - no zone is meant
def test_a_translated_format_means_the_same(moment):
    ours = from_java("EEEE, dd MMMM yyyy HH:mm:ss.SSSSSS")
    assert datetime.strptime(moment.strftime(ours), ours) == moment  # noqa: DTZ007 - no zone is meant
