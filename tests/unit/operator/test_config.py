"""Configuration is read once, and a bad value names itself."""

import pytest

from wick_api.settings import SettingInvalid
from wick_operator.config import OperatorConfig


def test_what_is_not_set_has_its_default():
    assert OperatorConfig.from_environment({}) == OperatorConfig()


def test_values_are_read_by_their_kind():
    config = OperatorConfig.from_environment(
        {
            "KUBEWICK_OPERATOR_NAMESPACES": "a, b",
            "KUBEWICK_OPERATOR_WORKERS": "3",
            "KUBEWICK_OPERATOR_RESYNC": "60.5",
            "KUBEWICK_OPERATOR_RUNTIMES": '{"python": "r/x:1"}',
            "KUBEWICK_OPERATOR_IMAGE_VOLUMES": "false",
            "PATH": "/bin",
        }
    )
    assert not config.image_volumes
    assert (config.namespaces, config.workers, config.resync) == (("a", "b"), 3, 60.5)
    assert config.runtimes == {"python": "r/x:1"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "many"),
        ("WORKERS", "0"),
        ("RUNTIMES", "python"),
        ("RUNTIMES", "[]"),
        ("LEASE_DEADLINE", "14"),
        ("IMAGE_PULL_POLICY", "Sometimes"),
        ("IMAGE_VOLUMES", "no"),
        ("COLOUR", "blue"),
    ],
)
def test_a_bad_value_names_its_variable(name, value):
    with pytest.raises(SettingInvalid, match=f"KUBEWICK_OPERATOR_{name}"):
        OperatorConfig.from_environment({f"KUBEWICK_OPERATOR_{name}": value})


def test_with_the_defaults_a_failover_takes_less_than_fifteen_seconds():
    config = OperatorConfig()
    assert config.lease_duration + config.lease_retry < 15
    assert config.lease_duration - config.lease_deadline >= 2  # for clocks that drift and writes under way
