"""The router's configuration."""

import pytest

from wick_api.settings import SettingInvalid
from wick_router.config import RouterConfig


def test_nothing_set_means_the_defaults():
    assert RouterConfig.from_environment({"HOME": "/", "KUBEWICK_ROUTER_PORT": "tcp://10.0.0.1:80"}) == RouterConfig()


def test_values_are_read_with_their_types():
    config = RouterConfig.from_environment(
        {
            "WICK_ROUTER_PORT": "81",
            "WICK_ROUTER_GRACE": "2.5",
            "WICK_ROUTER_DOMAINS": "example.com, svc",
            "WICK_ROUTER_TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8",
            "WICK_ROUTER_HOST": "::",
        }
    )
    assert (config.port, config.grace, config.domains, config.host) == (81, 2.5, ("example.com", "svc"), "::")
    assert [str(network) for network in config.trusted_proxies] == ["10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("PORT", "70000"),
        ("PROCESSES", "0"),
        ("ACCESS_LOG", "2"),
        ("GRACE", "-1"),
        ("GRACE", "soon"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TLS_KEY", "/only/one"),
        ("PROT", "80"),
    ],
)
def test_a_value_that_makes_no_sense_stops_the_start_and_is_named(name, value):
    with pytest.raises(SettingInvalid, match=f"WICK_ROUTER_{name}|WICK_ROUTER_TLS"):
        RouterConfig.from_environment({f"WICK_ROUTER_{name}": value})
