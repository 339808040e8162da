"""Code that cannot be loaded is known before the first request, with file, line and message."""

import http.client

import pytest

from cluster.waiting import PATIENCE

BROKEN = {
    "a syntax error": ("def handle(:\n", "SyntaxError", "main.py", 1),
    "a missing library": ("import os\nimport no_such_library\n", "no_such_library", "main.py", 2),
    "an exception": ("x = 1\n\nraise RuntimeError('not today')\n", "not today", "main.py", 3),
    "sys.exit": ("import sys\nsys.exit('no')\n", "SystemExit", "main.py", 2),
    "a missing handler": ("def other(): pass\n", "it has other", "main.py", 0),
    "a handler that is no function": ("handle = 42\n", "int", "", 0),
    "too many parameters": ("def handle(a, b, c, d): pass\n", "takes 4", "", 0),
    "a failing init": ("def init():\n    raise OSError('no disk')\ndef handle(): pass\n", "no disk", "main.py", 2),
    "a failing async init": (
        "async def init():\n    raise OSError('no disk')\nasync def handle(): pass\n", "no disk", "main.py", 2,
    ),
    "a crash": ("import os\nos._exit(7)\n", "exited with code 7", "", 0),
}  # fmt: skip


@pytest.mark.parametrize("what", list(BROKEN))
def test_the_control_port_and_every_request_say_what_is_wrong(start, what):
    code, message, file, line = BROKEN[what]
    instance = start(code)
    ready = instance.control("/readyz")
    assert (ready.status, ready.json["state"], ready.json["reason"]) == (503, "failed", "LoadFailed")
    assert message in ready.json["message"]
    if file:
        assert ready.json["file"].endswith(file)
        assert ready.json["line"] == line
    answer = instance.request("/")
    assert (answer.status, answer.headers["Kubewick-Refused"]) == (503, "failed")
    assert message in answer.message
    assert instance.control("/healthz").status == 200
    assert instance.stop() == 0


def test_an_error_in_a_module_that_the_handler_imports_names_that_file(start):
    instance = start({"main.py": "from lib import part\ndef handle(): pass\n", "lib/part.py": "\n\n1 / 0\n"})
    ready = instance.control("/readyz").json
    assert (ready["file"], ready["line"]) == ("lib/part.py", 3)
    assert "ZeroDivisionError" in ready["message"]


@pytest.mark.parametrize("code", ["def handle(:\n", "1 / 0\n"])
def test_a_file_of_a_mounted_configmap_goes_by_the_name_its_author_gave_it(start, tmp_path, code):
    mount = tmp_path / "function"
    version = mount / "..2026_11_21_09_00_00.123"
    version.mkdir(parents=True)
    (version / "main.py").write_text(code)
    (mount / "..data").symlink_to(version.name)
    (mount / "main.py").symlink_to("..data/main.py")
    ready = start(KUBEWICK_CODE=mount).control("/readyz").json
    assert (ready["file"], ready["line"]) == ("main.py", 1)


def test_the_data_port_does_not_listen_before_the_outcome_is_known(start, tmp_path, eventually):
    code = "import os, time\nwhile not os.path.exists(os.environ['GO']): time.sleep(0.01)\ndef handle(): return 'ok'\n"
    instance = start(code, wait=False, GO=tmp_path / "go")
    assert instance.state() == "loading"
    with pytest.raises(ConnectionRefusedError):
        instance.request("/")
    (tmp_path / "go").touch()
    eventually(lambda: instance.state() == "ready")
    assert instance.request("/").text == "ok"


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_an_exception_is_a_500_and_the_same_worker_serves_on(start, variant, kind, eventually):
    code = f"""
        import os
        {kind} handle(request):
            if request.path == "/bad":
                raise ValueError("no")
            return str(os.getpid())
    """
    instance = start(code, **variant)
    pid = instance.request("/").text
    answer = instance.request("/bad")
    assert (answer.status, answer.json["error"]["type"], answer.message) == (500, "ValueError", "ValueError: no")
    assert "traceback" not in answer.json["error"]
    assert instance.request("/").text == pid
    logged = eventually(lambda: [line for line in instance.lines if line["level"] == "error"])
    assert "Traceback" in logged[0]["message"]
    assert logged[0]["requestId"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_debug_puts_the_traceback_into_the_answer(start, kind):
    answer = start(f"{kind} handle():\n    raise ValueError('no')\n", KUBEWICK_DEBUG=1).request("/")
    assert 'main.py", line 2' in answer.json["error"]["traceback"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_sys_exit_in_a_handler_is_an_error_like_any_other(start, kind):
    instance = start(f"import sys\n{kind} handle():\n    sys.exit(3)\n")
    assert instance.request("/").json["error"]["type"] == "SystemExit"
    assert instance.request("/").status == 500


def test_a_class_is_made_once_and_its_hooks_run(start):
    code = """
        class Counter:
            def __init__(self): self.n = 0
            async def init(self): self.n = 10
            async def handle(self, request):
                self.n += 1
                return str(self.n)
            def shutdown(self): print("bye", self.n)
    """
    instance = start(code, KUBEWICK_HANDLER="main:Counter")
    assert [instance.request("/").text for _ in range(2)] == ["11", "12"]
    assert instance.stop() == 0
    assert [line["message"] for line in instance.lines][-1] == "bye 12"


def test_a_bad_setting_stops_the_start_with_one_line_that_names_it():
    import os
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "wick_runtime"], env={**os.environ, "KUBEWICK_CONCURRENCY": "many"},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "KUBEWICK_CONCURRENCY" in done.stderr


def test_a_port_in_use_is_named(start):
    import os
    import subprocess
    import sys

    instance = start("def handle(): pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "wick_runtime"], env={**os.environ, "PORT": str(instance.port)},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "PORT" in done.stderr


def test_head_and_options_reach_the_handler(start):
    instance = start("def handle(request):\n    return request.method\n")
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=PATIENCE)
    connection.request("HEAD", "/")
    response = connection.getresponse()
    assert (response.status, response.read(), response.headers["Content-Length"]) == (200, b"", "4")
    connection.close()
    assert instance.request("/", "OPTIONS").text == "OPTIONS"


ENDLESS = {
    "import": ({"main.py": "import os\nimport part\n", "part.py": "import time\n\ntime.sleep(99)\n"}, "part.py", 3),
    "spin": ({"main.py": "def spin():\n    while True:\n        pass\n\nspin()\n"}, "main.py", 3),
    "init": ({"main.py": "import time\ndef init():\n    time.sleep(99)\ndef handle(): pass\n"}, "main.py", 3),
    "async init": (
        {"main.py": "import asyncio\nasync def init():\n    await asyncio.sleep(99)\nasync def handle(): pass\n"},
        "main.py", 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", list(ENDLESS))
def test_a_start_that_never_ends_is_stopped_at_its_deadline_and_the_line_where_it_stands_is_told(start, variant, what):
    files, file, line = ENDLESS[what]
    instance = start(files, KUBEWICK_START_TIMEOUT=2, **variant)
    ready = instance.control("/readyz").json
    assert (ready["state"], ready["reason"]) == ("failed", "LoadFailed")
    assert ready["file"].endswith(file)
    assert "spec.startTimeout" in ready["message"]
    if what != "spin":
        assert ready["line"] == line
    answer = instance.request("/")
    assert (answer.status, answer.headers["Kubewick-Refused"]) == (503, "failed")
    assert f"{file}:" in answer.message


def test_a_start_that_never_returns_from_native_code_is_stopped_as_well(start):
    code = "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])\ntime.sleep(99)\n"
    ready = start(code, KUBEWICK_START_TIMEOUT=1).control("/readyz").json
    assert "spec.startTimeout), in native code" in ready["message"]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_process_that_ends_at_import_is_told_with_its_last_lines(start, kind):
    code = f"""
        import logging, os, sys
        for number in range(500): print("line", number, "of what is printed before")
        logging.error("no key in %s", "VAULT")
        print("giving up", file=sys.stderr)
        os._exit(3)
        {kind} handle(): pass
    """
    message = start(code).request().message
    assert "exited with code 3 while it loaded the code" in message
    assert message.endswith("it last said: line 499 of what is printed before | no key in VAULT | giving up")
