"""Fields that a request or a response has once, and bodies whose length comes with them, in every form."""

import pytest

CODE = """
    HEADERS = {"Date": "mine", "X-Request-Id": "mine", "Server": "mine"}
    PAIRS = [(name, value) for name in HEADERS for value in ("mine", "second")]

    def native(request):
        return ("", 200, HEADERS if request.path == "/own" else {})

    async def native_async(request):
        return ("", 200, HEADERS if request.path == "/own" else {})

    def streaming(request):
        def pieces():
            yield "a"
        return (pieces(), 200, HEADERS if request.path == "/own" else {})

    def wsgi(environ, start_response):
        start_response("200 OK", PAIRS if environ["PATH_INFO"] == "/own" else [])
        return [environ.get("HTTP_COOKIE", "").encode()]

    async def asgi(scope, receive, send):
        if scope["type"] == "lifespan":
            raise NotImplementedError
        pairs = [(name.encode(), value.encode()) for name, value in PAIRS] if scope["path"] == "/own" else []
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        cookies = [value for name, value in scope["headers"] if name == b"cookie"]
        await send({"type": "http.response.body", "body": b"|".join(cookies)})

    def lambda_handler(event, context):
        headers = HEADERS if event["rawPath"] == "/own" else {}
        return {"statusCode": 200, "headers": headers, "body": "|".join(event.get("cookies", []))}

    def length(environ, start_response):
        start_response("200 OK", [])
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        rest = environ["wsgi.input"].read()
        return [f"{environ['CONTENT_LENGTH']} {len(body)} {len(rest)} {'HTTP_TRANSFER_ENCODING' in environ}".encode()]

    def lines(environ, start_response):
        start_response("200 OK", [])
        return [str([len(line) for line in environ["wsgi.input"]]).encode()]
"""
FORMS = ["native", "native_async", "streaming", "wsgi", "asgi", "lambda_handler"]
ONCE = ("date", "x-request-id", "server")


@pytest.fixture(params=FORMS)
def instance(request, start):
    return start(CODE, KUBEWICK_HANDLER=f"main:{request.param}")


def test_a_response_has_one_date_and_one_request_id_and_the_function_s_own_win(instance):
    for method in ("GET", "HEAD"):
        for _ in range(2):
            headers = instance.request("/own", method).headers
            assert [headers.get_all(name) for name in ONCE] == [["mine"]] * 3
            headers = instance.request("/", method, headers={"X-Request-Id": "r"}).headers
            assert headers.get_all("x-request-id") == ["r"]
            assert (len(headers.get_all("date")), headers.get_all("server")) == (1, None)


@pytest.mark.parametrize("form", ["wsgi", "asgi", "lambda_handler"])
def test_several_cookie_lines_are_one(start, form):
    instance = start(CODE, KUBEWICK_HANDLER=f"main:{form}")
    with instance.connect() as sock, sock.makefile("rb") as file:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nX: y\r\nCookie: b=2\r\nConnection: close\r\n\r\n")
        joint = b"|" if form == "lambda_handler" else b"; "
        assert file.read().endswith(b"\r\n\r\na=1" + joint + b"b=2")


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_537, 3_000_000])
def test_a_wsgi_application_is_told_how_long_a_chunked_body_is(start, size):
    instance = start(CODE, KUBEWICK_HANDLER="main:length")
    pieces = iter([b"x" * 1000] * (size // 1000) + [b"x" * (size % 1000)] * (size % 1000 > 0))
    assert instance.request("/", "POST", pieces).text == f"{size} {size} 0 False"
    assert instance.request("/", "POST", b"x" * size).text == f"{size} {size} 0 False"


def test_a_chunked_body_is_read_line_by_line_and_ends(start):
    instance = start(CODE, KUBEWICK_HANDLER="main:lines")
    assert instance.request("/", "POST", iter([b"a\nb", b"c\n", b"d" * 100_000])).text == "[2, 3, 100000]"


def test_a_chunked_body_larger_than_the_limit_is_refused_and_nothing_of_it_stays(start):
    instance = start(CODE, KUBEWICK_HANDLER="main:length", KUBEWICK_MAX_REQUEST_BYTES=200_000)
    with instance.connect() as sock, sock.makefile("rb") as file:
        sock.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n%b\r\n" % (b"x" * 1000) * 201
        )
        assert b" 413 " in file.readline()
    assert instance.request("/", "POST", iter([b"abc"])).text == "3 3 0 False"
