"""All cases by name: the same for the router and for both parsers of the runtime."""

from corpus.http import framing, head, upgrade

_PARTS = (framing.CASES, head.CASES, upgrade.CASES)
CASES = {name: case for part in _PARTS for name, case in part.items()}
assert len(CASES) == sum(map(len, _PARTS)), "one name stands for two cases"
REFUSED = {name: case for name, case in CASES.items() if case.status}
SERVED = {name: case for name, case in CASES.items() if not case.status}
