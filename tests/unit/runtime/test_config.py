import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_runtime.config import RuntimeSettingInvalid, read, safe


def test_an_empty_environment_gives_the_documented_defaults():
    config = read({})
    assert (config.port, config.control_port, config.host) == (8080, 8081, "127.0.0.1")
    assert (config.target.code, config.target.handler) == ("/function", "main:handle")
    assert (config.limits.concurrency, config.limits.timeout, config.limits.max_request_bytes) == (10, 60.0, 10485760)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("KUBEWICK_CONTROL_PORT", "-1"),
        ("KUBEWICK_CONCURRENCY", "0"),
        ("KUBEWICK_CONCURRENCY", "1001"),
        ("KUBEWICK_CONCURRENCY", "1.5"),
        ("KUBEWICK_TIMEOUT", "nan"),
        ("KUBEWICK_TIMEOUT", "soon"),
        ("KUBEWICK_MAX_REQUEST_BYTES", "1MB"),
        ("KUBEWICK_GRACE", "-1"),
        ("KUBEWICK_HEAD_TIMEOUT", "0"),
        ("KUBEWICK_IDLE_TIMEOUT", "soon"),
        ("KUBEWICK_HANDLER", "main"),
        ("KUBEWICK_HANDLER", "main:1st"),
        ("KUBEWICK_INTERFACE", "cgi"),
        ("KUBEWICK_LAMBDA_EVENT", "sqs"),
        ("KUBEWICK_DEBUG", "yes"),
        ("KUBEWICK_SOURCE", "main.py"),
        ("KUBEWICK_SOURCE", '"main.py"'),
        ("KUBEWICK_SOURCE", "[1]"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(name, value):
    with pytest.raises(RuntimeSettingInvalid, match=name):
        read({name: value})


def test_whoever_chooses_a_lambda_event_has_a_lambda_handler():
    assert (
        read({"KUBEWICK_LAMBDA_EVENT": "alb"}).target[2:]
        == read({"KUBEWICK_INTERFACE": "lambda"}).target._replace(lambda_event="alb")[2:]
    )
    with pytest.raises(RuntimeSettingInvalid, match="KUBEWICK_LAMBDA_EVENT: is for the interface lambda, not asgi"):
        read({"KUBEWICK_LAMBDA_EVENT": "alb", "KUBEWICK_INTERFACE": "asgi"})


def test_a_pool_instance_needs_a_token():
    with pytest.raises(RuntimeSettingInvalid, match="KUBEWICK_TOKEN_SHA256"):
        read({"KUBEWICK_POOL": "1"})


def test_only_an_instance_of_the_pool_can_be_dormant():
    assert read({"KUBEWICK_DORMANT": "1", "KUBEWICK_POOL": "1", "KUBEWICK_TOKEN_SHA256": "0"}).dormant
    with pytest.raises(RuntimeSettingInvalid, match="KUBEWICK_DORMANT: needs KUBEWICK_POOL=1"):
        read({"KUBEWICK_DORMANT": "1"})


def test_what_a_dormant_instance_leaves_to_the_runtime_is_checked():
    assert read({"KUBEWICK_WOKEN": "3,5,12.5"}).woken == (3, 5, 12.5)
    for text in ("3", "3,5", "3,5,12.5,", "3,-1,12.5", "3,x,12.5", "3,5,nan", "3,5,soon"):
        with pytest.raises(RuntimeSettingInvalid, match="KUBEWICK_WOKEN"):
            read({"KUBEWICK_WOKEN": text})


@pytest.mark.parametrize("path", ["../main.py", "/etc/passwd", "a//b.py", ""])
def test_a_file_outside_the_code_directory_is_refused_by_its_path(path):
    with pytest.raises(RuntimeSettingInvalid, match=f"KUBEWICK_SOURCE: {path!r} is not a path inside"):
        read({"KUBEWICK_SOURCE": json.dumps([path]), "KUBEWICK_SOURCE_0": ""})


def test_a_listed_file_without_its_text_is_named_with_its_variable():
    with pytest.raises(RuntimeSettingInvalid, match=r"KUBEWICK_SOURCE_1: missing, though KUBEWICK_SOURCE lists 'b.py'"):
        read({"KUBEWICK_SOURCE": '["a.py", "b.py"]', "KUBEWICK_SOURCE_0": ""})


@given(st.dictionaries(st.text().filter(safe), st.text(), max_size=12))
def test_files_in_the_environment_are_read_as_they_were_written(files):
    texts = {f"KUBEWICK_SOURCE_{index}": text for index, text in enumerate(files.values())}
    assert read({"KUBEWICK_SOURCE": json.dumps(list(files)), **texts}).files == files
