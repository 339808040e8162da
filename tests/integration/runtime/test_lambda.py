"""Real libraries for AWS Lambda on the events they were written for: what they read, and what their answers become."""

import itertools

import pytest

CODE = """
import base64, json, urllib.parse
import apig_wsgi, mangum, serverless_wsgi
from aws_lambda_powertools.event_handler import (
    ALBResolver, APIGatewayHttpResolver, APIGatewayRestResolver, LambdaFunctionUrlResolver, Response
)
from aws_lambda_powertools.shared.cookies import Cookie

COOKIES = [Cookie("a", "1", secure=False), Cookie("b", "2", secure=False)]


def report(method, path, query, cookie, body):
    query = urllib.parse.parse_qsl(query)
    seen = {"method": method, "path": path, "query": query, "cookie": cookie, "bytes": list(body)}
    return json.dumps(seen, ensure_ascii=False).encode()


def wsgi(environ, start_response):
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    found = report(environ["REQUEST_METHOD"], path, environ["QUERY_STRING"], environ.get("HTTP_COOKIE", ""), body)
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    start_response("201 Created", [("Content-Type", "application/json"), *cookies])
    return [found]


async def asgi(scope, receive, send):
    body = (await receive())["body"]
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    found = report(scope["method"], scope["path"], scope["query_string"].decode(), headers.get("cookie", ""), body)
    cookies = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    headers = [(b"content-type", b"application/json"), *cookies]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": found})


def resolved(kind):
    app = kind(decode_query_parameters=True) if kind is ALBResolver else kind()

    @app.route("/.+", method=["GET", "POST"])
    def every():
        event = app.current_event
        body = base64.b64decode(event.body) if event.is_base64_encoded else (event.body or "").encode()
        query = urllib.parse.urlencode(event.resolved_query_string_parameters or {}, doseq=True)
        cookie = event.headers.get("cookie") or "; ".join(event.raw_event.get("cookies", []))
        found = report(event.http_method, urllib.parse.unquote(event.path), query, cookie, body)
        return Response(201, "application/json", found.decode(), cookies=COOKIES)

    return app


POWERTOOLS = {
    "url": LambdaFunctionUrlResolver,
    "api-v1": APIGatewayRestResolver,
    "api-v2": APIGatewayHttpResolver,
    "alb": ALBResolver,
}
HANDLERS = {
    "mangum": mangum.Mangum(asgi, lifespan="off"),
    "apig-wsgi": apig_wsgi.make_lambda_handler(wsgi),
    "serverless-wsgi": lambda event, context: serverless_wsgi.handle_request(wsgi, event, context),
} | {f"powertools-{name}": resolved(kind) for name, kind in POWERTOOLS.items()}


def lambda_handler(event, context):
    headers = {name.lower(): value for name, value in event["headers"].items()}
    return HANDLERS[headers["library"]](event, context)
"""
KINDS = ("url", "api-v1", "api-v2", "alb")
LIBRARIES = ("mangum", "apig-wsgi", "serverless-wsgi", "powertools")


@pytest.fixture(scope="module")
def instances(launch, libraries, tmp_path_factory):
    """One for each event; every library's handler is in each."""
    running = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp("instance")
        (folder / "code").mkdir()
        (folder / "code" / "main.py").write_text(CODE)
        env = {"KUBEWICK_HANDLER": "main:lambda_handler", "KUBEWICK_LAMBDA_EVENT": kind, "PYTHONPATH": str(libraries)}
        running[kind] = launch(folder, env)
    yield {kind: instance.known() for kind, instance in running.items()}
    for instance in running.values():
        instance.stop()


@pytest.fixture(params=itertools.product(KINDS, LIBRARIES), ids="-".join)
def call(request, instances):
    kind, library = request.param
    name = f"powertools-{kind}" if library == "powertools" else library

    def ask(path, method="GET", body=None, headers=None):
        return instances[kind].request(path, method, body, {"library": name, **(headers or {})})

    ask.kind, ask.library = kind, library
    return ask


def test_a_library_sees_the_request_and_its_answer_comes_back(call):
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cookie": "a=1; b=2"}
    answer = call("/deep/path?x=1&x=2&y=%26%2B", "POST", "ü".encode(), headers)
    seen = answer.json
    assert (answer.status, answer.headers["Content-Type"]) == (201, "application/json")
    assert (seen["method"], seen["path"], seen["cookie"].replace(" ", "")) == ("POST", "/deep/path", "a=1;b=2")
    several = {"alb": ["2"], "url": ["1", "2"], "api-v2": ["1", "2"], "api-v1": ["1", "2"]}[call.kind]
    assert [value for name, value in seen["query"] if name == "x"] == several
    assert ["y", "&+"] in seen["query"]
    assert bytes(seen["bytes"]).decode() == "ü"
    last = call.kind == "alb" and call.library in (
        "apig-wsgi",
        "powertools",
    )  # one value a name is what they write there
    assert answer.headers.get_all("Set-Cookie") == (["b=2"] if last else ["a=1", "b=2"])


def test_a_library_gets_every_byte_of_a_body_that_is_no_text(call):
    body = bytes(range(256))
    answer = call("/upload", "POST", body, {"Content-Type": "application/octet-stream"})
    assert bytes(answer.json["bytes"]) == body
    assert answer.json["query"] == []


def test_a_library_decodes_the_path(call):
    path = call("/caf%C3%A9/a%20b").json["path"]
    mangled = (call.library, call.kind) == (
        "apig-wsgi",
        "api-v2",
    )  # it expects what only the others send: encoded paths
    assert path == ("/caf\ufffd/a b" if mangled else "/café/a b")


@pytest.mark.parametrize(
    "made",
    [
        "import mangum\nhandler = mangum.Mangum(asgi, lifespan='off')",
        "import apig_wsgi\nhandler = apig_wsgi.make_lambda_handler(wsgi)",
        "handler = resolved(LambdaFunctionUrlResolver)",
        "def handler(event: dict, context): return HANDLERS['mangum'](event, context)",
        "def handler(event, context: LambdaContext): return HANDLERS['mangum'](event, context)",
    ],
    ids=["mangum", "apig-wsgi", "powertools", "a dict", "AWS's context"],
)
def test_a_lambda_handler_is_recognised_whatever_its_name(start, libraries, made):
    kinds = "from aws_lambda_powertools.utilities.typing import LambdaContext\n"
    app = start(f"{CODE}\n{kinds}{made}\n", KUBEWICK_HANDLER="main:handler", PYTHONPATH=libraries)
    assert app.request("/a").json["path"] == "/a"


def test_plain_http_to_what_looks_like_a_handler_of_cloudevents_says_how_lambda_is_told(start):
    answer = start("def handler(event, context): return {}", KUBEWICK_HANDLER="main:handler").request("/")
    assert (answer.status, "interface: lambda" in answer.message) == (400, True)


def test_chalice_finds_its_routes(start, libraries):
    code = """
        from chalice import Chalice, Response
        app = Chalice("app")

        @app.route("/users/{name}", methods=["GET", "PUT"])
        def user(name):
            request = app.current_request
            return {"name": name, "method": request.method, "all": request.query_params and request.query_params["q"]}

        @app.route("/users/me")
        def me():
            return Response("ü", {"Content-Type": "text/plain"}, 202)
    """
    app = start(code, KUBEWICK_HANDLER="main:app", KUBEWICK_LAMBDA_EVENT="api-v1", PYTHONPATH=libraries)
    assert app.request("/users/Ada%20L?q=1").json == {"name": "Ada L", "method": "GET", "all": "1"}
    assert app.request("/users/Ada", "PUT").json == {"name": "Ada", "method": "PUT", "all": None}
    assert (app.request("/users/me").status, app.request("/users/me").text) == (202, "ü")
    assert app.request("/nobody").status == 405  # Chalice; on AWS the gateway itself would refuse it


RETURNS = """
    import decimal
    def lambda_handler(event, context):
        return {
            "/none": lambda: {"statusCode": 202, "body": None},
            "/decimal": lambda: {"n": decimal.Decimal("1.10"), "t": "é"},
            "/body": lambda: {"statusCode": 200, "body": {"n": decimal.Decimal("1.10")}},
            "/set": lambda: {"statusCode": 200, "body": "", "more": {1}},
            "/nan": lambda: {"n": decimal.Decimal("NaN")},
            "/text": lambda: "plain",
            "/headers": lambda: {
                "statusCode": "203", "headers": {"X-A": 1, "X-B": True, "Set-Cookie": "a=1", "sEt-cOOkie": "b=2"},
                "multiValueHeaders": {"X-A": [1, 2]}, "body": "aGk=", "isBase64Encoded": True,
            },
        }[event.get("rawPath") or event["path"]]()
"""


def test_what_a_handler_returns_becomes_what_aws_makes_of_it(start):
    app = start(RETURNS, KUBEWICK_HANDLER="main:lambda_handler")
    assert (app.request("/none").status, app.request("/none").body) == (202, b"")
    assert app.request("/decimal").text == '{"n": 1.10, "t": "é"}'
    assert app.request("/body").text == '{"n": 1.10}'
    assert app.request("/text").text == "plain"
    assert (app.request("/set").status, app.request("/nan").status) == (500, 500)
    assert "no set either" in app.request("/set").message
    answer = app.request("/headers")
    assert (answer.status, answer.text) == (203, "hi")
    assert (answer.headers.get_all("X-A"), answer.headers["X-B"]) == (["1", "2"], "true")
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("kind", ["api-v1", "alb"])
def test_without_a_status_code_only_payload_format_2_has_an_answer(start, kind):
    app = start(RETURNS, KUBEWICK_HANDLER="main:lambda_handler", KUBEWICK_LAMBDA_EVENT=kind)
    assert app.request("/none").status == 202
    answer = app.request("/text")
    assert answer.status == 500
    assert f"spec.lambda.event: {kind}" in answer.message


def test_a_raw_payload_that_is_no_json_is_the_callers_fault(start):
    app = start("def lambda_handler(event, context): return event", KUBEWICK_HANDLER="main:lambda_handler")
    raw = {"Kubewick-Lambda-Payload": "raw"}
    assert app.request("/", "POST", '{"Records": []}', raw).json == {"Records": []}
    answer = app.request("/", "POST", "{", raw)
    assert (answer.status, "no JSON" in answer.message) == (400, True)
