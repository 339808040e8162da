"""What a function prints or logs while a request runs carries that request's id."""

import subprocess
import threading

import pytest

from cluster.waiting import PATIENCE

CODE = """
    import asyncio, logging, sys, time
    {kind} handle(request, context):
        name = request.query["name"]
        print("start", end=" ")
        {sleep}(0.05)
        print(name)
        context.logger.warning("warned %s", name)
        logging.getLogger("mine").info("noted %s", name)
        print("unfinished " + name, end="")
        return context.request_id
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_concurrent_requests_are_not_mixed_up(start, variant, kind, eventually):
    code = CODE.format(kind=kind, sleep="time.sleep" if kind == "def" else "await asyncio.sleep")
    instance = start(code, KUBEWICK_FUNCTION="f", KUBEWICK_NAMESPACE="n", KUBEWICK_REVISION="r", **variant)
    names = [f"r{i}" for i in range(8)]
    threads = [
        threading.Thread(target=instance.request, args=(f"/?name={name}",), kwargs={"headers": {"X-Request-Id": name}})
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(instance.lines) >= 4 * len(names))
    for name in names:
        own = [line for line in instance.lines if line.get("requestId") == name]
        assert [line["message"] for line in own] == [
            f"start {name}", f"warned {name}", f"noted {name}", f"unfinished {name}",
        ]  # fmt: skip
        assert [line["level"] for line in own] == ["info", "warning", "info", "info"]
        assert {(line["function"], line["namespace"], line["revision"]) for line in own} == {("f", "n", "r")}


def test_threads_started_by_a_request_belong_to_it(start, eventually):
    code = "import asyncio\nasync def handle():\n    await asyncio.to_thread(print, 'from a thread')\n"
    instance = start(code)
    instance.request(headers={"X-Request-Id": "t-1"})
    line = eventually(lambda: [line for line in instance.lines if line["message"] == "from a thread"])[0]
    assert line["requestId"] == "t-1"


def test_on_a_terminal_lines_are_plain(tmp_path):
    """`script` gives the instance a terminal."""
    import os
    import sys

    (tmp_path / "main.py").write_text("print('loading now')\ndef handle(): pass\n")
    env = {**os.environ, "KUBEWICK_CODE": str(tmp_path), "PORT": "0", "KUBEWICK_CONTROL_PORT": "0"}
    process = subprocess.Popen(
        ["script", "-qec", f"{sys.executable} -m wick_runtime", "/dev/null"],
        env=env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline().startswith(b"wick_runtime:")
        assert process.stdout.readline() == b"loading now\r\n"
    finally:
        os.killpg(process.pid, 15)
        process.wait(PATIENCE)
        process.stdout.close()


def test_the_context_tells_of_the_invocation(start):
    code = """
        def handle(request, context):
            names = ("request_id", "function", "namespace", "revision", "attempt", "cold_start", "traceparent")
            return {name: getattr(context, name) for name in names}
    """
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Request-Id": "i", "Kubewick-Attempt": "2", "Kubewick-Cold-Start": "1", "traceparent": trace}
    instance = start(code, KUBEWICK_FUNCTION="f", KUBEWICK_NAMESPACE="n", KUBEWICK_REVISION="r")
    assert instance.request(headers=headers).json == {
        "request_id": "i", "function": "f", "namespace": "n", "revision": "r", "attempt": 2, "cold_start": True,
        "traceparent": trace,
    }  # fmt: skip


def test_a_record_that_cannot_be_formatted_fails_no_request_and_is_told(start):
    code = """
        import logging
        class Mute:
            def __repr__(self): raise RuntimeError("no")
        def handle(request):
            wrong = {"field": ("%(a)s", {"b": 1}), "few": ("%s %s", 1), "mute": ("%r", Mute()), "message": (Mute(),)}
            logging.warning(*wrong[request.query["wrong"]])
    """
    instance = start(code)
    for wrong in ("field", "few", "mute", "message"):
        assert instance.request(f"/?wrong={wrong}").status == 204
    assert [line["message"].partition("main.py")[2] or line["message"] for line in instance.lines] == [
        "'%(a)s' {'b': 1}",
        "'%s %s' (1,)",
        ":7: a record that cannot be shown (RuntimeError)",
        ":7: a record that cannot be shown (RuntimeError)",
    ]
