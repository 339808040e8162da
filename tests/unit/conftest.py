"""Hypothesis for every unit test: a slow machine is no reason to fail, so no deadlines and no limit on drawing."""

from hypothesis import HealthCheck, settings

settings.register_profile("kubewick", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kubewick")
