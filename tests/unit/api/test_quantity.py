"""Quantities are read as apimachinery reads them, and compared as a container's resources are stored."""

import time
from fractions import Fraction

import pytest
from hypothesis import given

from arbitrary.manifests import SPEC, quantities
from wick_api import quantity

STORED = {
    "5.": "5",
    ".5": "500m",
    "+1": 1,
    "007": "7",
    "1.Gi": "1024Mi",
    "0.5Gi": "512Mi",
    "0.3Gi": "322122547200m",
    "1e3": "1k",
    "1E3": "1000",
    "1E": "1000P",
    "10e-3": "0.01",
    "1000Ki": "1024000",
    "0.0001": "1m",
    "1n": "1m",
    "1e-99": "1m",
    "1.0001": "1001m",
    "9Ei": "9223372036854775807",
    "9E": "9000P",
    "0.0": "0",
    "k": 0,
    " 1 ": 1,
    1.5: "1500m",
}


@pytest.mark.parametrize("written", STORED)
def test_what_the_api_server_stores_alike_is_equal(written):
    assert quantity.parse(written) == quantity.parse(STORED[written])


@pytest.mark.parametrize(
    "text", ["", "K", "mi", "1MB", "1_000", "0x10", "1e", "1 Gi", "1.2.3", "--1", "1ki", "nan", "\u0661"]
)
def test_what_is_no_quantity_is_refused_by_its_text(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity.parse(text)


@pytest.mark.parametrize("text", ["1e7000000", "1e-7000000", "1e400", "9" * 7_000_000, f"1e{'9' * 7_000_000}"])
def test_none_takes_long_to_refuse(text):
    before = time.process_time()
    with pytest.raises(ValueError, match="write it like"):
        quantity.parse(text)
    assert time.process_time() - before < 1


@given(quantities)
def test_whatever_the_crd_lets_in_can_be_computed_with(value):
    assert not quantity.problem(value)
    assert 0 <= float(quantity.parse(value)) < float("inf")
    assert quantity.parse(value) * 1000 % 1 == Fraction(0)


@pytest.mark.parametrize("value", [-1, 2**63, 0.5, True, None, "-1", "1e400", "1e100", "1" * 19, "k", " 1", "1\n"])
def test_what_the_crd_refuses_is_a_problem(value):
    assert quantity.problem(value)


def test_the_crd_and_the_parser_have_one_pattern_and_one_length():
    for part in ("requests", "limits"):
        schema = SPEC["properties"]["resources"]["properties"][part]["additionalProperties"]
        assert (schema["pattern"], schema["maxLength"], schema["minimum"]) == (quantity.PATTERN, quantity.LONGEST, 0)
