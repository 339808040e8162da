"""Router, local platform and operator say the same of every request, whatever the order in which they were told."""

import asyncio
import json
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from arbitrary.functions import manifest
from wick_api.function import parse
from wick_api.names import Key
from wick_operator.cache.store import Store
from wick_operator.cache.store import _Namespaces as Namespaces
from wick_operator.config import OperatorConfig
from wick_router.config import RouterConfig
from wick_router.proxy.data_plane import DataPlane

RULES = json.dumps({"shop": ["x.io"], "stage=prod": ["x.io", "y.io", "a.shop"], "front": ["*"]})
HOSTS = [
    "",
    "x.io",
    "y.io",
    "a.shop",
    "a.kube-system",
    "a.shop.svc.cluster.local",
    "b.front.svc",
    "kubewick-router.kubewick-system.svc",
]
METHODS = [b"GET", b"POST"]
TARGETS = [b"/", b"/a/b", b"/function/shop/a/x"]
REQUESTS = [*product([host.encode() for host in [*HOSTS[1:], "nobody"]], METHODS, TARGETS)]
NAMESPACES = ["shop", "pay", "front", "kube-system"]
KEYS = [Key(namespace, name) for namespace in NAMESPACES for name in "ab"]
ROUTES = st.builds(
    lambda host, path, methods: {"host": host, "path": path, "methods": methods},
    st.sampled_from(HOSTS),
    st.sampled_from(["/", "/a", "/function/shop/a"]),
    st.lists(st.sampled_from(["GET", "POST"]), max_size=1),
)
FUNCTIONS = st.builds(
    lambda key, routes, created, uid: manifest(
        key.name, {"image": "x", "routes": routes}, namespace=key.namespace, creationTimestamp=created, uid=uid
    ),
    st.sampled_from(KEYS),
    st.lists(ROUTES, max_size=2),
    st.sampled_from(["2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]),
    st.sampled_from(["u-1", "u-2"]),
)
LABELS = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from([{}, {"stage": "prod"}]))
EVENTS = st.lists(st.one_of(FUNCTIONS, FUNCTIONS, st.sampled_from(KEYS), LABELS), max_size=10)


class Operator:
    """An operator's view, told by kopf and its mirror of namespaces."""

    def __init__(self, rules):
        settings = {"KUBEWICK_OPERATOR_HOSTS": rules, "KUBEWICK_OPERATOR_EXCLUDED_NAMESPACES": "kube-system"}
        self.view = Store(lambda _key, _delay=0.0: None, OperatorConfig.from_environment(settings).policy)
        self.table = self.view.table

    def put(self, function):
        self.view.told(function, gone=False)

    def drop(self, function):
        self.view.told(function, gone=True)

    def label(self, namespace, labels):
        Namespaces(self.view).changed(("", namespace), labels, None)


class Router:
    """A router's data plane, told by a backend; `wick up` embeds the same."""

    def __init__(self, rules):
        settings = {
            "WICK_ROUTER_HOSTS": rules,
            "WICK_ROUTER_EXCLUDED_NAMESPACES": "kube-system",
            "WICK_ROUTER_SERVICES": "kubewick-router.kubewick-system",
        }
        self.plane = DataPlane(RouterConfig.from_environment(settings), None)
        self.plane.synced(in_touch=True)
        self.table = self.plane.table

    def put(self, function):
        self.plane.function(parse(function))

    def drop(self, function):
        self.plane.function_gone(parse(function).key)

    def label(self, namespace, labels):
        self.plane.namespace(namespace, labels)


def tell(part, events):
    there = {}
    for event in events:
        if isinstance(event, dict):
            key = Key(event["metadata"]["namespace"], event["metadata"]["name"])
            there[key] = event
            part.put(event)
        elif isinstance(event, Key):
            if event in there:
                part.drop(there.pop(event))
        else:
            part.label(*event)
    return there


def last_words(events):
    """Each Function and namespace as it is in the end."""
    final = {}
    for event in events:
        if isinstance(event, dict):
            final[event["metadata"]["namespace"], event["metadata"]["name"]] = event
        elif isinstance(event, Key):
            final.pop(tuple(event), None)
        else:
            final["labels", event[0]] = event
    return list(final.values())


@given(st.sampled_from(["{}", RULES]), EVENTS, st.randoms(use_true_random=False))
def test_every_request_has_one_owner_the_same_everywhere(rules, events, random):
    async def compare():
        operator, router = Operator(rules), Router(rules)
        there = tell(operator, events)
        shuffled = last_words(events)
        random.shuffle(shuffled)
        tell(router, shuffled)
        # The operator says nothing of Functions that it leaves alone; whoever calls them is answered all the same.
        alone = [key for key in there if key.namespace == "kube-system"]
        answers = [(operator.table.find(*request), router.table.find(*request)) for request in REQUESTS]
        assert all(one == other for one, other in answers)
        assert all(operator.table.lost(key) == router.table.lost(key) for key in there if key not in alone)

    asyncio.run(compare())
