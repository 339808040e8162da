"""Settings: what is written is what is read, and what cannot be is told with its variable's name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api.settings import SettingInvalid, between, one_of, read


@dataclass(frozen=True)
class Kinds:
    text: str = "t"
    flag: bool = False
    number: int = 1
    share: float = 0.5
    many: tuple[str, ...] = ("a",)
    about: Mapping[str, Any] = field(default_factory=dict)


def test_what_is_not_set_has_its_default():
    assert read(Kinds, "X_", {"OTHER": "1"}) == Kinds()


@given(st.text(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.lists(st.text("xyz", min_size=1)))
def test_what_is_written_is_read(text, flag, number, share, many):
    written = {
        "X_TEXT": text,
        "X_FLAG": str(flag).lower(),
        "X_NUMBER": str(number),
        "X_SHARE": str(share),
        "X_MANY": ", ".join(many),
        "X_ABOUT": '{"a": [1]}',
    }
    assert read(Kinds, "X_", written) == Kinds(text, flag, number, share, tuple(many), {"a": [1]})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FLAG", "yes"),
        ("FLAG", "True"),
        ("NUMBER", "1.5"),
        ("SHARE", "half"),
        ("ABOUT", "[]"),
        ("ABOUT", "{"),
        ("NO", ""),
    ],
)
def test_what_cannot_be_read_is_told_with_its_name(name, text):
    with pytest.raises(SettingInvalid, match=f"^X_{name}: "):
        read(Kinds, "X_", {f"X_{name}": text})


def test_a_field_may_have_a_reader_of_its_own():
    assert read(Kinds, "X_", {"X_NUMBER": "ff"}, {"number": lambda text: int(text, 16)}).number == 255
    with pytest.raises(SettingInvalid, match=r"^X_NUMBER: 'zz': "):
        read(Kinds, "X_", {"X_NUMBER": "zz"}, {"number": lambda text: int(text, 16)})


def test_bounds_are_allowed_and_what_is_beyond_is_told():
    for number in (0, 2):
        between("X_", Kinds(number=number), {"number": (0, 2)})
    for number in (-1, 3):
        with pytest.raises(SettingInvalid, match=f"^X_NUMBER: {number} is not between 0 and 2$"):
            between("X_", Kinds(number=number), {"number": (0, 2)})


def test_a_choice_names_all_there_are():
    one_of("X_", Kinds(text="b"), {"text": ("a", "b")})
    with pytest.raises(SettingInvalid, match=r"^X_TEXT: 'c' is none of a, b$"):
        one_of("X_", Kinds(text="c"), {"text": ("a", "b")})
