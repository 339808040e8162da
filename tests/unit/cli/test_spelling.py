from wick_cli.document.spelling import unknown_fields


def test_known_fields_pass_at_every_depth():
    spec = {
        "source": {"inline": {"any.py": ""}},
        "scale": {"max": 2},
        "routes": [{"host": "a"}],
        "env": [{"name": "A"}],
    }
    assert not list(unknown_fields(spec))


def test_a_misspelt_field_is_named_with_what_was_meant():
    assert list(unknown_fields({"concurency": 5})) == ["spec.concurency: no such field; did you mean 'concurrency'?"]


def test_misspelt_fields_are_found_inside_objects_and_lists():
    messages = list(unknown_fields({"scale": {"mx": 1}, "routes": [{}, {"hots": "a"}]}))
    assert [message.split(":")[0] for message in messages] == ["spec.scale.mx", "spec.routes[1].hots"]


def test_what_is_no_object_is_left_to_the_parser():
    assert not list(unknown_fields(7))
    assert not list(unknown_fields({"scale": "big"}))
