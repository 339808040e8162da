"""What the platform tells the loop to look at, from what the operator's own view hears."""

from wick_api.names import Key
from wick_operator.autoscaler.kubernetes_scaler import KubernetesScaler
from wick_operator.cache.store import Store

HELLO = Key("default", "hello")


def manifest(generation=1, **status):
    return {
        "apiVersion": "kubewick.dev/v1alpha1",
        "kind": "Function",
        "metadata": {
            "name": "hello",
            "namespace": "default",
            "uid": "u",
            "generation": generation,
            "creationTimestamp": "2026-11-21T00:00:00Z",
        },
        "spec": {"image": "x", "scale": {"max": 10 + generation}},
        "status": status,
    }


def platform(view):
    return KubernetesScaler(view, None, lambda _key: [], lambda _key: "")


def made():
    view = Store(lambda _key, _delay: None)
    view.told(manifest(), gone=False)
    scaler = platform(view)
    assert scaler.changed() is None  # at first, anything may have changed
    return view, scaler


def test_a_function_at_rest_is_no_news():
    _, scaler = made()
    assert scaler.changed() == {}


def test_an_edited_function_is_news_once():
    view, scaler = made()
    view.told(manifest(2), gone=False)
    [(key, function)] = scaler.changed().items()
    assert (key, function.spec.scale.max) == (HELLO, 12)
    assert scaler.changed() == {}


def test_a_new_status_is_no_news_and_leaves_the_function_the_same_object():
    view, scaler = made()
    [before] = scaler.functions()
    view.told(manifest(scale={"replicas": 3}), gone=False)
    assert scaler.changed() == {}
    assert list(scaler.functions()) == [before]
    assert next(iter(scaler.functions())) is before


def test_a_function_that_went_or_cannot_be_used_is_gone():
    view, scaler = made()
    view.told(manifest(2) | {"spec": {"scale": {"max": "many"}}}, gone=False)
    assert scaler.changed() == {HELLO: None}
    view.told(manifest(3), gone=False)
    assert scaler.changed()[HELLO] is not None
    view.told(manifest(3), gone=True)
    assert scaler.changed() == {HELLO: None}


def test_a_changed_deployment_is_news():
    view, scaler = made()
    view.tell(HELLO)
    assert list(scaler.changed()) == [HELLO]
