"""Which function a request is for."""

from hypothesis import given
from hypothesis import strategies as st

from wick_api.function import Function, FunctionSpec, Metadata, Route
from wick_api.names import Key
from wick_router.routing import Match, Table, WrongMethod

DOMAINS = ("svc.cluster.local", "svc", "")


def function(name, *routes, created="2026-01-01T00:00:00Z"):
    return Function(
        metadata=Metadata(name=name, creation_timestamp=created),
        spec=FunctionSpec(image="x", routes=tuple(Route(**route) for route in routes)),
    )


def found(table, host, target="/", method="GET"):
    return table.find(host.encode(), method.encode(), target.encode())


def test_a_function_has_a_host_in_every_domain():
    table = Table([function("hello")], domains=DOMAINS)
    for host in ("hello.default", "hello.default.svc", "hello.default.svc.cluster.local", "HELLO.default.svc.:8080"):
        assert found(table, host, "/a?b").key == Key("default", "hello")
    assert found(table, "hello.other") is None


def test_a_path_names_a_function_and_is_taken_off():
    table = Table([function("hello")], domains=DOMAINS)
    for path, target in (("", "/"), ("/", "/"), ("/a/b", "/a/b"), ("?q=/x/y", "/?q=/x/y"), ("//a", "//a")):
        match = found(table, "localhost", "/function/default/hello" + path)
        assert (match.target, match.prefix) == (target.encode(), b"/function/default/hello")
    for path in ("/function/", "/function/default", "/function/default/other/", "/function/default/hellox"):
        assert found(table, "localhost", path) is None


def test_the_longest_prefix_wins_and_ends_at_a_segment():
    table = Table(
        [function("a", {"host": "x.io", "path": "/api"}), function("b", {"host": "x.io", "path": "/api/v2/"})]
    )
    assert found(table, "x.io", "/api/v1").key.name == "a"
    assert found(table, "x.io", "/api/v2").key.name == "b"
    assert found(table, "x.io:443", "/api/v2/x?y").key.name == "b"
    assert found(table, "x.io", "/apis") is None
    assert found(table, "x.io", "/api?x").target == b"/api?x"


def test_methods_choose_and_the_wrong_one_is_told_the_right_ones():
    table = Table(
        [function("a", {"path": "/x", "methods": ("get",)}), function("b", {"path": "/x", "methods": ("POST",)})]
    )
    assert found(table, "any", "/x", "GET").key.name == "a"
    assert found(table, "any", "/x", "POST").key.name == "b"
    assert found(table, "any", "/x", "PUT") == WrongMethod(b"GET, POST")


def test_the_older_function_has_a_contested_route():
    old, new = function("z", {"host": "x.io"}, created="2025"), function("a", {"host": "x.io"}, created="2026")
    assert found(Table([new, old]), "x.io").key.name == "z"
    assert found(Table([old, new]), "x.io").key.name == "z"


ROUTES = st.builds(
    lambda host, path, methods: {"host": host, "path": path, "methods": tuple(methods)},
    st.sampled_from(["", "x.io", "a.default"]),
    st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3).map(lambda parts: "/" + "/".join(parts)),
    st.lists(st.sampled_from(["GET", "POST"]), max_size=1),
)


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(ROUTES, max_size=3), max_size=3),
    st.sampled_from(["", "x.io", "a.default", "nobody"]),
    st.lists(st.sampled_from(["a", "b", "ab", "function", "default"]), max_size=5).map(
        lambda parts: "/" + "/".join(parts)
    ),
    st.sampled_from(["GET", "POST"]),
)
def test_the_order_of_functions_never_matters_and_the_best_claim_wins(claims, host, path, method):
    functions = [function(name, *routes) for name, routes in claims.items()]
    result = found(Table(functions, domains=DOMAINS), host, path, method)
    assert result == found(Table(functions[::-1], domains=DOMAINS), host, path, method)
    if isinstance(result, Match) and not result.prefix:
        assert result.target == path.encode()
    fitting = [
        route
        for routes in claims.values()
        for route in routes
        if (path + "/").startswith(route["path"].rstrip("/") + "/")
        and (not route["methods"] or method in route["methods"])
    ]
    if host == "x.io" and any(route["host"] == "x.io" for route in fitting):
        assert isinstance(result, Match)
