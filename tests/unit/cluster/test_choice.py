from itertools import product
from pathlib import Path

import pytest

from cluster.choice import Cluster, Offer, choose

OFFERS = [
    Offer(kubeconfig, docker, linux, root, go)
    for kubeconfig, docker, linux, root, go in product((None, Path("config")), *[(False, True)] * 4)
]


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if offer.kubeconfig])
def test_a_given_cluster_is_always_taken(offer):
    assert choose(offer).cluster is Cluster.GIVEN


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if not offer.kubeconfig and not offer.go])
def test_without_go_nothing_can_be_built(offer):
    assert choose(offer).cluster is Cluster.NONE
    assert "Go is missing" in choose(offer).because


def test_docker_comes_before_a_node_of_our_own():
    assert choose(Offer(None, docker=True, linux=True, root=True, go=True)).cluster is Cluster.KIND
    assert choose(Offer(None, docker=False, linux=True, root=True, go=True)).cluster is Cluster.NODE


@pytest.mark.parametrize(("linux", "missing"), [(True, "not root"), (False, "not Linux")])
def test_a_skipped_run_says_what_is_missing(linux, missing):
    choice = choose(Offer(None, docker=False, linux=linux, root=not linux, go=True))
    assert choice.cluster is Cluster.NONE
    assert missing in choice.because
