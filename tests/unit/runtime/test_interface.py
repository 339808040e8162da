# ruff: noqa: FBT003 - a Form reads best as a row
import pytest

from wick_runtime.call.interface import Form, Interface, Unfit, form


class Asgi:
    async def __call__(self, scope, receive, send): ...


class Flaskish:
    def wsgi_app(self, environ, start_response): ...

    def __call__(self, environ, start_response): ...


class Falconish:
    def __call__(self, env, start_response): ...


class Mangumish:
    def __call__(self, event: "LambdaEvent", context: "LambdaContext") -> "dict[str, Any]": ...  # noqa: F821 - as there


async def asgi(scope, receive, send): ...
def wsgi(environ, start_response): ...
def wsgi_by_its_second_name(e, start_response): ...
def typed_event(event: dict[str, object], context): ...
def typed_by_name(event: "typing.Dict[str, typing.Any]", context=None): ...  # noqa: F821 - by name
def typed_context(payload, context: "aws.LambdaContext"): ...  # noqa: F821 - by name
async def awaited(event: dict, context): ...
def one_event(event: dict): ...
def nothing(): ...
def request_only(request): ...
def both(request, context): ...
async def asynchronous(request, context): ...
async def generator(request):
    yield request


def event(event, context): ...
async def cloud_event(cloud_event): ...
def streaming(request: "StreamingRequest", context): ...  # noqa: F821 - by name, so that nothing need be imported
def own_default(request, retries=3): ...
def optional_context(request, context=None): ...
def anything(*args, **kwargs): ...


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (Asgi(), Form(Interface.ASGI, True, 3, True)),
        (asgi, Form(Interface.ASGI, True, 3, True)),
        (Flaskish(), Form(Interface.WSGI, False, 2, True)),
        (wsgi, Form(Interface.WSGI, False, 2, True)),
        (wsgi_by_its_second_name, Form(Interface.WSGI, False, 2, True)),
        (Falconish(), Form(Interface.WSGI, False, 2, True)),
        (Mangumish(), Form(Interface.LAMBDA, False, 2)),
        (typed_event, Form(Interface.LAMBDA, False, 2)),
        (typed_by_name, Form(Interface.LAMBDA, False, 2)),
        (typed_context, Form(Interface.LAMBDA, False, 2)),
        (awaited, Form(Interface.CLOUDEVENT, True, 2)),
        (one_event, Form(Interface.CLOUDEVENT, False, 1)),
        (nothing, Form(Interface.NATIVE, False, 0)),
        (request_only, Form(Interface.NATIVE, False, 1)),
        (both, Form(Interface.NATIVE, False, 2)),
        (asynchronous, Form(Interface.NATIVE, True, 2)),
        (generator, Form(Interface.NATIVE, True, 1)),
        (event, Form(Interface.CLOUDEVENT, False, 2)),
        (cloud_event, Form(Interface.CLOUDEVENT, True, 1)),
        (streaming, Form(Interface.NATIVE, False, 2, True)),
        (own_default, Form(Interface.NATIVE, False, 1)),
        (optional_context, Form(Interface.NATIVE, False, 2)),
        (anything, Form(Interface.NATIVE, False, 2)),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_the_form_is_found_by_looking(handler, expected):
    assert form(handler, "auto", "handle") == expected


def test_a_lambda_handler_is_known_by_its_name():
    assert form(event, "auto", "lambda_handler").interface is Interface.LAMBDA


def test_what_functions_framework_registered_is_its_own():
    assert form(request_only, "auto", "hello", "http").interface is Interface.FUNCTIONS_FRAMEWORK


@pytest.mark.parametrize("wanted", [interface.value for interface in Interface])
def test_the_spec_overrides_what_is_found(wanted):
    assert form(both, wanted, "handle").interface == wanted


def test_what_cannot_be_called_is_refused():
    with pytest.raises(Unfit, match="int"):
        form(42, "auto", "handle")


def test_a_handler_that_wants_more_than_request_and_context_is_refused():
    def greedy(request, context, extra): ...

    with pytest.raises(Unfit, match="request, context, extra"):
        form(greedy, "native", "handle")
