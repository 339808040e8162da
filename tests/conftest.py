"""For every test: none is judged by how long it takes, and none by luck.

Machines differ and are busy, so Hypothesis has no deadlines and no limits on how it draws. It draws the same examples
each run, so a change is refused for what it broke and not for what chance found in other code; `make explore` draws
anew.
"""

import os

from hypothesis import HealthCheck, settings

EXPLORE = int(os.environ.get("KUBEWICK_EXPLORE", "0"))
"""Examples a property draws by chance; 0: the usual hundred, the same ones each run."""

EXAMPLES = int(os.environ.get("KUBEWICK_EXAMPLES", "100"))
"""Of each property, always the same ones, where nothing is explored; `make mutants` is content with fewer."""

settings.register_profile(
    "kubewick",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    derandomize=not EXPLORE,
    max_examples=EXPLORE or EXAMPLES,
)
settings.load_profile("kubewick")
