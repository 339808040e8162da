"""Hypothesis for every unit test: neither a slow machine nor unlucky drawing is a reason to fail.

So there are no deadlines, and no limits on how long drawing takes and on how much of it is thrown away.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "kubewick", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
settings.load_profile("kubewick")
