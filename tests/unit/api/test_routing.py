"""Who owns a request, and what a Function is told of routes that do not lead to it."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wick_api.function import Function, FunctionMetadata, FunctionSpec, Route
from wick_api.hosts import parse_hosts
from wick_api.names import Key
from wick_api.reason import Reason
from wick_api.routing import HostPolicy, Match, Table, WrongMethod

DOMAINS = ("fn.example", "svc.cluster.local", "svc", "")
OPEN = HostPolicy(DOMAINS, services=("kw-router.kw",), excluded=("kube-system",))
TENANTS = OPEN._replace(
    hosts=parse_hosts({"shop": ["shop.io", "*.shop.io"], "stage=prod": ["x.io", "a.pay"], "front": ["*"]})
)


def function(name, *routes, created="2026-01-01T00:00:00Z", namespace="default", uid="", visibility="cluster"):
    return Function(
        metadata=FunctionMetadata(name=name, namespace=namespace, creation_timestamp=created, uid=uid),
        spec=FunctionSpec(image="x", routes=tuple(Route(**route) for route in routes), visibility=visibility),
    )


def found(table, host, target="/", method="GET", *, public=False):
    return table.find(host.encode(), method.encode(), target.encode(), public=public)


def owner(table, host, target="/", method="GET"):
    match = found(table, host, target, method)
    return str(match.key) if isinstance(match, Match) else None


def reasons(table, key):
    return [lost.reason for lost in table.lost(Key(*key.split("/")))]


def test_a_function_has_a_host_in_every_domain():
    table = Table(OPEN, [function("hello")])
    for host in ("hello.default", "hello.default.svc", "hello.default.svc.cluster.local", "HELLO.default.svc.:8080"):
        assert found(table, host, "/a?b").key == Key("default", "hello")
    assert found(table, "hello.other") is None


def test_a_path_names_a_function_and_is_taken_off():
    table = Table(OPEN, [function("hello")])
    for path, target in (("", "/"), ("/", "/"), ("/a/b", "/a/b"), ("?q=/x/y", "/?q=/x/y"), ("//a", "//a")):
        match = found(table, "localhost", "/function/default/hello" + path)
        assert (match.target, match.prefix) == (target.encode(), b"/function/default/hello")
    for path in ("/function/", "/function/default", "/function/default/other/", "/function/default/hellox"):
        assert found(table, "localhost", path) is None


def test_the_longest_prefix_wins_and_ends_at_a_segment():
    table = Table(
        OPEN, [function("a", {"host": "x.io", "path": "/api"}), function("b", {"host": "x.io", "path": "/api/v2/"})]
    )
    assert found(table, "x.io", "/api/v1").key.name == "a"
    assert found(table, "x.io", "/api/v2").key.name == "b"
    assert found(table, "x.io:443", "/api/v2/x?y").key.name == "b"
    assert found(table, "x.io", "/apis") is None
    assert found(table, "x.io", "/api?x").target == b"/api?x"


def test_methods_choose_and_the_wrong_one_is_told_the_right_ones():
    table = Table(
        OPEN, [function("a", {"path": "/x", "methods": ("get",)}), function("b", {"path": "/x", "methods": ("POST",)})]
    )
    assert found(table, "any", "/x", "GET").key.name == "a"
    assert found(table, "any", "/x", "POST").key.name == "b"
    assert found(table, "any", "/x", "PUT") == WrongMethod(b"GET, POST")
    assert not table.lost(Key("default", "a"))
    assert not table.lost(Key("default", "b"))


def test_the_older_function_has_a_contested_route_and_of_two_as_old_the_lesser_uid():
    ages = (({"created": "2025", "uid": "2"}, {"created": "2026", "uid": "1"}), ({"uid": "1"}, {"uid": "2"}))
    for first, second in ages:
        old, new = function("z", {"host": "x.io"}, **first), function("a", {"host": "x.io"}, **second)
        for order in ([new, old], [old, new]):
            table = Table(OPEN, order)
            assert owner(table, "x.io") == "default/z"
            (lost,) = table.lost(Key("default", "a"))
            assert lost.reason == Reason.ROUTE_CONFLICT
            assert "default/z" in lost.message


def test_a_route_given_up_is_the_next_one_s():
    table = Table(OPEN, [function("a", {"path": "/x"}, created="1"), function("b", {"path": "/x/"}, created="2")])
    assert reasons(table, "default/b") == [Reason.ROUTE_CONFLICT]
    assert table.drop(Key("default", "a")) == {Key("default", "b")}
    assert owner(table, "any", "/x") == "default/b"
    assert not table.lost(Key("default", "b"))


@pytest.mark.parametrize("host", ["login.pay.svc.cluster.local", "login.pay.svc", "login.pay", "login.pay.fn.example"])
@pytest.mark.parametrize("created", ["2025", "2027"])
@pytest.mark.parametrize("path", ["/", "/token"])
def test_nobody_takes_the_host_of_another_function(host, created, path):
    login = function("login", created="2026", namespace="pay")
    evil = function("m", {"host": host, "path": path}, created=created, namespace="evil")
    table = Table(OPEN, [evil, login])
    assert owner(table, host, "/token") == "pay/login"
    assert reasons(table, "evil/m") == [Reason.HOST_NOT_ALLOWED]


def test_the_host_of_a_function_that_does_not_exist_is_nobody_s():
    evil = function("m", {"host": "login.pay.svc.cluster.local"}, {"path": "/"}, namespace="evil")
    table = Table(OPEN, [evil])
    for host in ("login.pay.svc.cluster.local", "LOGIN.pay.fn.example:80", "login.pay.svc."):
        assert found(table, host, "/token") is None
    assert owner(table, "login.pay.svc", "/function/evil/m/") == "evil/m"
    assert reasons(table, "evil/m") == [Reason.HOST_NOT_ALLOWED]


def test_two_labels_may_be_a_public_name_until_a_function_is_called_so():
    table = Table(OPEN, [function("m", {"host": "shop.io"}, namespace="evil")])
    assert owner(table, "shop.io") == "evil/m"
    assert table.put(function("shop", namespace="io", created="2030")) == {Key("evil", "m")}
    assert owner(table, "shop.io") == "io/shop"
    assert reasons(table, "evil/m") == [Reason.HOST_NOT_ALLOWED]
    assert table.drop(Key("io", "shop")) == {Key("evil", "m")}
    assert owner(table, "shop.io") == "evil/m"


def test_a_function_may_name_its_own_host():
    table = Table(OPEN, [function("a", {"host": "a.default.svc.cluster.local", "path": "/x"})])
    assert not table.lost(Key("default", "a"))


def test_the_router_s_own_host_takes_paths_and_routes_without_a_host_and_no_others():
    evil = function("m", {"host": "kw-router.kw.svc.cluster.local"}, {"path": "/any"}, namespace="evil")
    table = Table(OPEN, [evil, function("kw-router", namespace="kw")])
    assert owner(table, "kw-router.kw.svc.cluster.local", "/function/evil/m/") == "evil/m"
    assert owner(table, "kw-router.kw.svc.cluster.local", "/any") == "evil/m"
    assert found(table, "kw-router.kw.svc.cluster.local", "/") is None
    assert reasons(table, "evil/m") == [Reason.HOST_NOT_ALLOWED]


def test_a_route_that_can_never_match_says_so():
    table = Table(
        OPEN,
        [
            function(
                "a", {"path": "/function/default/a"}, {"path": "/functions"}, {"host": "x.io", "path": "/function/x"}
            )
        ],
    )
    (lost,) = table.lost(Key("default", "a"))
    assert lost.reason == Reason.ROUTE_UNREACHABLE
    assert "/function/default/a" in lost.message
    assert owner(table, "x.io", "/function/x") == "default/a"


def test_once_there_is_a_rule_a_namespace_has_the_hosts_it_was_given_and_no_others():
    routes = [{"host": host} for host in ("shop.io", "www.shop.io", "a.b.shop.io", "x.io", "badshop.io")] + [
        {"path": "/p"}
    ]
    table = Table(TENANTS, [function("m", *routes, namespace=namespace) for namespace in ("evil", "front", "shop")])
    assert reasons(table, "evil/m") == [Reason.HOST_NOT_ALLOWED] * 6
    assert reasons(table, "shop/m") == [Reason.ROUTE_CONFLICT] * 3 + [Reason.HOST_NOT_ALLOWED] * 3
    assert reasons(table, "front/m") == []


def test_labels_give_leave_while_the_namespace_has_them():
    table = Table(TENANTS, [function("m", {"host": "x.io"}, namespace="pay")])
    assert found(table, "x.io") is None
    assert table.label("pay", {"stage": "test"}) == set()
    assert table.label("pay", {"stage": "prod", "more": "x"}) == {Key("pay", "m")}
    assert table.label("pay", {"stage": "prod"}) == set()
    assert owner(table, "x.io") == "pay/m"
    assert table.label("pay", {}) == {Key("pay", "m")}
    assert found(table, "x.io") is None


def test_a_rule_with_several_labels_wants_them_all():
    table = Table(OPEN._replace(hosts=parse_hosts({"a=1,b=2": ["x.io"]})), [function("m", {"host": "x.io"})])
    assert table.label("default", {"a": "1"}) == set()
    assert found(table, "x.io") is None
    assert table.label("default", {"a": "1", "b": "2"}) == {Key("default", "m")}
    assert owner(table, "x.io") == "default/m"


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ({"Shop": ["x.io"]}, "'Shop' is neither a namespace nor labels"),
        ({"a=1,b": ["x.io"]}, "'b' is no label"),
        ({"shop": "x.io"}, "shop: must be a list"),
        ({"shop": ["x.*"]}, r"shop: 'x.\*' is neither a host"),
        ({"shop": ["X.io"]}, "shop: 'X.io' is neither"),
    ],
)
def test_a_rule_that_cannot_be_read_is_named(rules, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_hosts(rules)


def test_another_tenant_s_function_is_not_named():
    old = function("old", {"host": "x.io"}, namespace="front", created="2020")
    young = [
        function("young", {"host": "x.io"}, {"host": "a.pay"}, namespace=namespace) for namespace in ("pay", "front")
    ]
    table = Table(TENANTS, [old, *young, function("a", namespace="pay")])
    table.label("pay", {"stage": "prod"})
    assert "front/old" in table.lost(Key("front", "young"))[0].message
    assert "pay/a" not in table.lost(Key("front", "young"))[1].message
    (lost,) = table.lost(Key("pay", "young"))[:1]
    assert lost.reason == Reason.ROUTE_CONFLICT
    assert "front" not in lost.message


def test_functions_of_excluded_namespaces_keep_nobody_from_a_route():
    excluded = function("old", {"host": "x.io"}, namespace="kube-system", created="2020")
    table = Table(OPEN, [excluded, function("a", {"host": "x.io"})])
    assert owner(table, "x.io") == "default/a"
    assert not table.lost(Key("default", "a"))


def test_until_all_functions_are_known_routes_lead_to_nobody():
    table = Table(OPEN, [function("young", {"host": "x.io"}, {"path": "/p"})])
    table.whole = False
    assert found(table, "x.io") is None
    assert found(table, "any", "/p") is None
    assert owner(table, "young.default") == owner(table, "x", "/function/default/young") == "default/young"


HOSTS = [
    "",
    "x.io",
    "w.shop.io",
    "a.pay",
    "a.pay.svc.cluster.local",
    "b.shop.svc",
    "kw-router.kw.svc",
    "a.b.fn.example",
]
PATHS = ["/", "/a", "/a/b", "/function/pay/a", "/ab"]
METHODS = ["GET", "POST"]
REQUESTS = [*product([*HOSTS[1:], "nobody", "A.PAY.:80"], ["/", "/a/b/c", "/function/pay/a/x"], METHODS)]
KEYS = [Key(namespace, name) for namespace in ("pay", "shop", "kube-system") for name in "ab"]
LABELS = [{}, {"stage": "prod"}]
ROUTES = st.builds(
    lambda host, path, methods: {"host": host, "path": path, "methods": tuple(methods)},
    st.sampled_from(HOSTS),
    st.sampled_from(PATHS),
    st.lists(st.sampled_from(METHODS), max_size=1),
)
FUNCTIONS = st.builds(
    lambda key, routes, created, uid: function(key.name, *routes, namespace=key.namespace, created=created, uid=uid),
    st.sampled_from(KEYS),
    st.lists(ROUTES, max_size=3),
    st.sampled_from(["2025", "2026"]),
    st.sampled_from("12"),
)
EVENTS = st.lists(
    st.one_of(
        FUNCTIONS,
        FUNCTIONS,
        st.sampled_from(KEYS),
        st.tuples(st.just("label"), st.sampled_from(["pay", "shop"]), st.sampled_from(LABELS)),
    ),
    max_size=12,
)
POLICIES = st.sampled_from([OPEN, TENANTS])


def answers(table):
    return [found(table, host, path, method) for host, path, method in REQUESTS]


@given(POLICIES, EVENTS, st.randoms(use_true_random=False))
def test_the_order_of_events_never_matters(policy, events, random):
    """Neither to who owns a request, nor to what is told of routes by somebody who looks only when `put` says so."""
    table, functions, labels, told = Table(policy), {}, {}, {}
    for event in events:
        if isinstance(event, Function):
            functions[event.key] = event
            affected = table.put(event) | {event.key}
        elif isinstance(event, Key):
            functions.pop(event, None)
            affected = table.drop(event) | {event}
        else:
            labels[event[1]] = event[2]
            affected = table.label(*event[1:])
        told |= {key: table.lost(key) for key in affected}
    everything = [*functions.values(), *labels.items()]
    random.shuffle(everything)
    fresh = Table(policy)
    for each in everything:
        fresh.put(each) if isinstance(each, Function) else fresh.label(*each)
    assert answers(table) == answers(fresh)
    assert {key: told[key] for key in functions} == {key: fresh.lost(key) for key in functions}


@given(POLICIES, st.lists(FUNCTIONS, max_size=6, unique_by=lambda each: each.key))
def test_a_function_is_told_of_a_route_exactly_when_some_of_its_requests_go_elsewhere(policy, functions):
    specs = [structs.replace(each.spec, routes=each.spec.routes[:1]) for each in functions]
    functions = [structs.replace(each, spec=spec) for each, spec in zip(functions, specs, strict=True)]
    table = Table(policy, functions)
    table.label("pay", {"stage": "prod"})
    for each in functions:
        answered = [
            found(table, route.host or "nobody", route.path, method)
            for route in each.spec.routes
            for method in route.methods or (*METHODS, "PUT")
        ]
        mine = [isinstance(match, Match) and match.key == each.key and not match.prefix for match in answered]
        assert bool(table.lost(each.key)) == (not all(mine))


@given(POLICIES, st.lists(FUNCTIONS, max_size=5, unique_by=lambda each: each.key))
def test_a_host_below_a_domain_is_never_another_function_s(policy, functions):
    table = Table(policy, functions)
    for path, method in product(["/", "/a", "/a/b/c"], METHODS):
        assert owner(table, "a.pay.svc.cluster.local", path, method) in {None, "pay/a"}
        assert owner(table, "b.shop.svc", path, method) in {None, "shop/b"}


PATHS = st.lists(st.sampled_from(["a", "b", "ab", "function", "default"]), max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)
ANY_ROUTE = st.builds(
    lambda host, path, methods: {"host": host, "path": path, "methods": tuple(methods)},
    st.sampled_from(["", "x.io", "a.default"]),
    PATHS,
    st.lists(st.sampled_from(["GET", "POST"]), max_size=1),
)
HOSTS = ["", "x.io", "a.default", "b.default", "a.default.svc", "z.default.svc.cluster.local", "nobody"]


@given(
    st.dictionaries(st.sampled_from("abc"), st.tuples(st.booleans(), st.lists(ANY_ROUTE, max_size=3)), max_size=3),
    st.sampled_from(HOSTS),
    PATHS,
    st.sampled_from(["GET", "POST", "PUT"]),
)
def test_outsiders_see_public_functions_and_get_nothing_that_is_a_hidden_ones(functions, host, path, method):
    made = [
        function(name, *routes, visibility="public" if shown else "cluster")
        for name, (shown, routes) in functions.items()
    ]
    table = Table(OPEN, made)
    inside, outside = (found(table, host, path, method, public=each) for each in (False, True))
    shown = {each.key for each in made if each.public}
    if isinstance(outside, Match):
        assert outside.key in shown
        # Two labels may as well be a public name: without a domain they name a function only to who may see it.
        assert outside == inside or (host.count(".") == 1 and inside.key not in shown)
    if isinstance(inside, Match) and inside.key in shown:
        assert outside == inside
    if isinstance(outside, WrongMethod):
        theirs = {method.encode() for each in made if each.public for r in each.spec.routes for method in r.methods}
        assert set(outside.allow.split(b", ")) <= theirs


@given(st.sampled_from(HOSTS), PATHS, st.lists(ANY_ROUTE, max_size=3))
def test_a_hidden_function_without_routes_is_to_outsiders_as_if_it_did_not_exist(host, path, routes):
    shown = [function("a", *routes, visibility="public"), function("c", {"path": "/a"}, visibility="public")]
    without, among = (Table(OPEN, [*shown, *more]) for more in ([], [function("b"), function("z")]))
    assert found(without, host, path, public=True) == found(among, host, path, public=True)


def test_a_function_is_hidden_and_shown_again_by_a_change():
    table = Table(OPEN)
    for visibility, seen in (("public", True), ("cluster", False), ("public", True)):
        table.put(function("a", {"host": "x.io"}, visibility=visibility))
        for host, path in (("a.default.svc", "/"), ("x.io", "/"), ("any", "/function/default/a/")):
            assert (found(table, host, path, public=True) is not None) == seen
            assert found(table, host, path) is not None
