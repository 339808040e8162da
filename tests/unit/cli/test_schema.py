from wick_cli.document.schema import function_problems


def complaints(spec):
    return function_problems({"spec": spec})


def test_known_fields_pass_at_every_depth():
    spec = {
        "source": {"inline": {"any.py": ""}},
        "scale": {"max": 2},
        "routes": [{"host": "a"}],
        "env": [{"name": "A"}],
    }
    assert not complaints(spec)


def test_a_misspelt_field_is_named_with_what_was_meant():
    assert complaints({"concurency": 5}) == ["spec.concurency: no such field; did you mean 'concurrency'?"]


def test_misspelt_fields_are_found_inside_objects_and_lists():
    messages = complaints({"scale": {"mx": 1}, "routes": [{}, {"hots": "a"}]})
    assert [message.split(":")[0] for message in messages] == ["spec.scale.mx", "spec.routes[1].hots"]


def test_what_is_of_another_type_is_named_with_what_was_expected():
    assert complaints(7) == ["spec: expected object, got integer"]
    assert complaints({"scale": "big"}) == ["spec.scale: expected object, got string"]
    assert complaints({"env": [{"name": "A", "value": True}]}) == ["spec.env[0].value: expected string, got boolean"]
