import pytest

from cluster.debian import mirror
from cluster.tools import Missing

DEB822 = """\
Types: deb
# http://archive.invalid/not-this-one/debian
URIs: https://packages.invalid/debian
Suites: bookworm bookworm-updates
Components: main
"""
SECURITY = """\
Types: deb
URIs: https://packages.invalid/debian-security
Suites: bookworm-security
Components: main
"""
THIRD_PARTY = "deb [arch=amd64 signed-by=/x] https://elsewhere.invalid/apt tool-bookworm main\n"
ONE_LINE = "deb [arch=amd64] http://one.invalid/debian bookworm main contrib\n"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([SECURITY + "\n" + DEB822], "https://packages.invalid/debian"),
        ([THIRD_PARTY, ONE_LINE], "http://one.invalid/debian"),
        ([THIRD_PARTY, DEB822, ONE_LINE], "https://packages.invalid/debian"),
    ],
)
def test_the_mirror_is_the_one_apt_uses_for_debian_itself(sources, expected):
    assert mirror(sources) == expected


@pytest.mark.parametrize("sources", [[], [THIRD_PARTY], [SECURITY], ["# deb http://one.invalid/debian bookworm main"]])
def test_a_machine_without_a_mirror_is_told_so(sources):
    with pytest.raises(Missing, match="mirror"):
        mirror(sources)
