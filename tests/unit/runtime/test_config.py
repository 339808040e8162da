import pytest

from wick_runtime.config import Invalid, read


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
        ("KUBEWICK_DEBUG", "yes"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(name, value):
    with pytest.raises(Invalid, match=name):
        read({name: value})


def test_a_pool_instance_needs_a_token():
    with pytest.raises(Invalid, match="KUBEWICK_TOKEN_SHA256"):
        read({"KUBEWICK_POOL": "1"})
