"""Whose annotation decides, whatever shape the handler has; the real package is in the integration tests."""

import functools

import pytest

from wick_runtime.forms.cloudevent import CloudEvent
from wick_runtime.forms.cloudevent_sdk import conversion


class Theirs:
    def __init__(self, attributes, data):
        self.attributes, self.data = attributes, data


Theirs.__module__ = "cloudevents.core"


def plain(event: Theirs, context): ...
def by_name(event: "Theirs"): ...
def second(event, context: Theirs): ...
def unknown(event: "elsewhere.Theirs"): ...  # noqa: F821 - imported for type checkers only, say
def of_another(event: CloudEvent): ...
def nothing(): ...


@functools.wraps(plain)
def wrapped(*args): ...


class Handler:
    def handle(self, event: Theirs): ...

    def __call__(self, event: Theirs): ...


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (plain, Theirs),
        (by_name, Theirs),
        (wrapped, Theirs),
        (functools.partial(plain, context=None), Theirs),
        (Handler().handle, Theirs),
        (Handler(), Theirs),
        (second, CloudEvent),
        (unknown, CloudEvent),
        (of_another, CloudEvent),
        (nothing, CloudEvent),
        (print, CloudEvent),
    ],
    ids=[
        "plain",
        "by name",
        "wrapped",
        "partial",
        "method",
        "object",
        "second",
        "unknown",
        "of another",
        "nothing",
        "built in",
    ],
)
def test_the_first_parameters_annotation_decides(handler, kind):
    event = CloudEvent({"id": "1", "type": "t", "source": "s"}, "data")
    made = conversion(handler)(event)
    assert (type(made), made.attributes, made.data) == (kind, event.attributes, "data")
