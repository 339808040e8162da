"""A defect in one function's reconcile is told in that function's status, and passes when it is mended."""

import pytest

from operating.stage import staged
from operating.world import condition
from wick_operator.function import plan


async def test_a_reconcile_that_fails_by_a_defect_is_told_once_and_mended_by_the_next(
    control_plane, tmp_path, monkeypatch
):
    async with staged(control_plane, tmp_path) as make:
        stage = make()
        await stage.put()
        await stage.settle()
        with monkeypatch.context() as broken:

            async def fail(*_):
                raise KeyError("boom")

            broken.setattr(plan, "make", fail)
            for writes in (["status"], []):
                with pytest.raises(KeyError):
                    await stage.look()
                assert stage.writes() == writes
        status = await stage.status()
        assert condition(status, "Ready")["reason"] == "InternalError"
        assert "(reconcile): KeyError: 'boom'" in status["why"]
        await stage.settle()
        assert condition(await stage.status(), "Ready")["reason"] == "Idle"
