"""The operations handbook leaves nothing out."""

from pathlib import Path

import generate
from wick_api.reason import Reason

HANDBOOK = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()


def test_every_reason_a_function_can_give_is_in_the_table_of_troubles():
    assert [reason.value for reason in Reason if reason != Reason.READY and f"`{reason.value}`" not in HANDBOOK] == []


def test_every_value_the_handbook_names_exists():
    schema = generate.chart_schema(generate.VALUES.read_text())
    known = {path for path, _, _ in generate.rows(schema)}
    for value in (
        "router.settings.drainDelay",
        "router.tls.secretName",
        "crds.upgrade",
        "uninstall.cleanup",
        "functions.imageVolumes",
        "functions.hostUsers",
        "warmPool.antiAffinity",
    ):
        assert value in known
        assert value in HANDBOOK
