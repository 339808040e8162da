"""What a mirror tells is worth a look, unless it is the echo of our own write."""

import json

import msgspec
import pytest

from arbitrary.functions import manifest
from wick_api.names import Key
from wick_operator.cache.store import Store
from wick_operator.observed import snapshot

KEY = Key("default", "hello")


class Stage:
    """A view that knows one Function, and one of its mirrors' listeners."""

    def __init__(self):
        self.wishes = []
        self.view = Store(lambda key, _delay=0.0: self.wishes.append(key))
        self.view.told(manifest("hello", {"image": "x"}), gone=False)
        (mirror,) = (each for each in listeners(self.view) if type(each).__name__ == "_Deployments")
        self.mirror, self.shown = mirror, None
        self.wishes.clear()

    def made(self, **what):
        self.view.expect(KEY, "Deployment", KEY.name, deployment(**what))

    def tell(self, **what):
        """The mirror shows this; whether it was worth a look."""
        self.wishes.clear()
        self.mirror.changed(KEY, deployment(**what), self.shown)
        self.shown = deployment(**what)
        return bool(self.wishes)


def listeners(view):
    view.mirror(None, (None,))
    return [reflector._listener for reflector in view._reflectors]


def deployment(image="a", replicas=0, **metadata):
    named = {"name": KEY.name, "namespace": KEY.namespace, "uid": "u", "labels": {"kubewick.dev/function": KEY.name}}
    template = {"metadata": {}, "spec": {"containers": [{"name": "function", "image": image}]}}
    body = {"metadata": {**named, **metadata}, "spec": {"replicas": replicas, "template": template}}
    return snapshot.deployment(msgspec.Raw(msgspec.json.encode(body)))


def test_the_echo_of_our_own_write_is_no_news():
    stage = Stage()
    stage.made(image="b")
    assert not stage.tell(image="b")


@pytest.mark.parametrize("other", [{"image": "c"}, {"image": "b", "replicas": 1}])
def test_anything_else_is_news(other):
    stage = Stage()
    stage.made(image="b")
    assert stage.tell(**other)


def test_an_echo_is_expected_once():
    stage = Stage()
    stage.made(image="b")
    assert stage.tell(image="c")
    assert stage.tell(image="b")


def test_what_the_mirror_shows_already_is_not_expected():
    stage = Stage()
    stage.tell(image="b")
    stage.made(image="b")
    assert stage.view.is_news(KEY, "Deployment", KEY.name, deployment(image="b"))


def test_what_controllers_note_in_the_metadata_is_no_news():
    stage = Stage()
    stage.tell()
    assert not stage.tell(resourceVersion="7", annotations={"deployment.kubernetes.io/revision": "1"})


def test_a_function_that_is_gone_expects_nothing():
    stage = Stage()
    stage.made(image="b")
    function = manifest("hello", {"image": "x"})
    stage.view.told(function, gone=True)
    stage.view.told(function, gone=False)
    assert stage.tell(image="b")


def test_statuses_are_kept_as_told_and_share_their_words():
    told = [json.dumps({"why": "x", "conditions": [{"type": "Ready", "message": "At rest; ok."}]}) for _ in range(2)]
    one, other = (snapshot.status(json.loads(each)) for each in told)
    assert one == json.loads(told[0])
    assert one["conditions"][0]["message"] is other["conditions"][0]["message"]
