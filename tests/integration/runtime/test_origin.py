"""Scheme, client and server of ASGI and WSGI applications are those that the router names."""

import json

import pytest

CODE = """
    import json

    def wsgi(environ, start_response):
        start_response("200 OK", [])
        server = [environ["SERVER_NAME"], int(environ["SERVER_PORT"])]
        return [json.dumps([environ["wsgi.url_scheme"], environ["REMOTE_ADDR"], server]).encode()]

    async def asgi(scope, receive, send):
        if scope["type"] == "lifespan":
            raise NotImplementedError
        said = json.dumps([scope["scheme"], scope["client"][0], scope["server"]])
        await receive()
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": said.encode()})
        else:
            await send({"type": "websocket.accept", "headers": [(b"said", said.encode())]})
"""
ROUTER = {
    "Host": "shop.example",
    "X-Forwarded-For": "192.0.2.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
}
SHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize("form", ["wsgi", "asgi"])
def test_scheme_client_and_server_are_what_the_router_says(start, form):
    instance = start(CODE, KUBEWICK_HANDLER=f"main:{form}")
    assert instance.request(headers=ROUTER).json == ["https", "192.0.2.7", ["shop.example", 443]]
    assert instance.request(headers={"Host": "a:81"}).json == ["http", "127.0.0.1", ["a", 81]]


def test_a_websocket_s_scheme_is_what_the_router_says(start):
    instance = start(CODE, KUBEWICK_HANDLER="main:asgi")
    answer = instance.request(headers=ROUTER | SHAKE)
    assert json.loads(answer.headers["said"]) == ["wss", "192.0.2.7", ["shop.example", 443]]
    assert json.loads(instance.request(headers={"Host": "a"} | SHAKE).headers["said"])[0] == "ws"
