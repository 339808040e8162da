"""A revision's ConfigMap holds its files and template and gives both back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_api import revision
from wick_api.revision import Revision

parts = st.from_regex(re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,8}", re.ASCII), fullmatch=True)
files = st.lists(parts, min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(files, st.text()))
def test_what_is_packed_is_unpacked(sources):
    packed = revision.pack(Revision("0123456789", sources, {"spec": {}}))
    config_map = {"metadata": {"labels": {"kubewick.dev/revision": "0123456789"}}, "data": packed}
    assert revision.unpack(config_map) == Revision("0123456789", sources, {"spec": {}})


@given(files, files)
def test_two_files_never_share_a_key(one, other):
    assert (revision.to_key(one) == revision.to_key(other)) == (one == other)


@given(files)
def test_a_key_is_legal_and_never_the_template_s(file):
    key = revision.to_key(file)
    assert re.fullmatch(r"[-._a-zA-Z0-9]+", key)
    assert not key.startswith("..")
    assert key != revision.TEMPLATE


@pytest.mark.parametrize("key", ["_template.json", "a_b", "a___b"])
def test_a_key_nobody_packed_is_refused(key):
    with pytest.raises(ValueError, match="is not the key"):
        revision.from_key(key)


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert revision.digest({"a": 1, "b": {"c": 2, "d": 3}}) == revision.digest({"b": {"d": 3, "c": 2}, "a": 1})
