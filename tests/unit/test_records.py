"""A record is a frozen dataclass to everybody who asks."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace

import pytest

from headrace.records import record


@record
class Place:
    name: str
    number: int = 1
    tags: tuple[str, ...] = field(default=(), kw_only=True)


@record
class Seat(Place):
    """A record that derives from another."""

    notes: list[str] = field(default_factory=list, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Likewise:
    name: str
    number: int = 1
    tags: tuple[str, ...] = field(default=(), kw_only=True)


def test_values_are_given_by_place_and_name_or_have_their_default():
    assert repr(Place("a")) == "Place(name='a', number=1, tags=())"
    assert repr(Seat("a", 2, tags=("x",))) == "Seat(name='a', number=2, tags=('x',))"
    assert Seat("a").notes == []


@pytest.mark.parametrize(("values", "named"), [((), {}), (("a", 1, ()), {}), (("a",), {"row": 1}), (("a",), {"name": "b"})])
def test_wrong_values_are_refused_as_by_a_dataclass(values, named):
    with pytest.raises(TypeError) as theirs:
        Likewise(*values, **named)
    with pytest.raises(TypeError) as ours:
        Place(*values, **named)
    assert str(ours.value) == str(theirs.value).replace("Likewise", "Place")


@record
class Counted:
    """What is not given has its default, of whatever kind; what follows from the rest is put there behind it."""

    first: int
    among: list[int] = field(default_factory=list, kw_only=True)
    kind: str = field(default="plain", init=False)
    own: list[int] = field(default_factory=list, init=False)
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "twice", 2 * self.first)


@record
class Nothing:
    pass


def test_every_kind_of_field_begins_as_in_a_dataclass():
    one, other = Counted(1), Counted(2, among=[3])
    assert (one.first, one.among, one.kind, one.own, one.twice) == (1, [], "plain", [], 2)
    assert (other.among, other.twice) == ([3], 4)
    assert one.own is not other.own
    assert Nothing() == Nothing()
    with pytest.raises(TypeError, match="kind"):
        Counted(1, kind="other")


def test_records_are_equal_when_their_fields_and_classes_are():
    assert Place("a", 1) == Place("a")
    assert Place("a", 2) != Place("a")
    assert Seat("a") != Place("a")
    assert Seat("a", notes=["x"]) == Seat("a")
    assert len({Place("a"), Place("a", 1), Place("b")}) == 2


def test_a_record_never_changes():
    place = Place("a")
    with pytest.raises(FrozenInstanceError, match="name"):
        place.name = "b"
    with pytest.raises(FrozenInstanceError, match="name"):
        del place.name
    with pytest.raises((FrozenInstanceError, AttributeError)):
        place.row = 1


def test_dataclasses_know_records():
    seat = Seat("a", tags=("x",), notes=["y"])
    assert replace(seat, number=3) == Seat("a", 3, tags=("x",))
    assert asdict(seat) == {"name": "a", "number": 1, "tags": ("x",), "notes": ["y"]}
    assert [f.name for f in fields(Place)] == ["name", "number", "tags"]
    match seat:
        case Place(name, number):
            assert (name, number) == ("a", 1)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_records_can_be_copied_and_sent(copied):
    assert copied(Seat("a", tags=("x",))) == Seat("a", tags=("x",))


def test_what_a_class_defines_by_itself_stays():
    @record
    class Loud:
        name: str

        def __repr__(self) -> str:
            return self.name.upper()

    assert repr(Loud("a")) == "A"


def test_a_record_may_look_at_its_values_when_it_is_made():
    @record
    class Share:
        of_one: float

        def __post_init__(self) -> None:
            if not 0 <= self.of_one <= 1:
                raise ValueError(self.of_one)

    assert Share(0.5).of_one == 0.5
    for _ in range(2):
        with pytest.raises(ValueError, match="2"):
            Share(2)
