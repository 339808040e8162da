"""For every test: no test is judged by how long it takes, because machines differ and are busy."""

from hypothesis import settings

settings.register_profile("kubewick", deadline=None)
settings.load_profile("kubewick")
