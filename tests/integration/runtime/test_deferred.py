"""The stand-ins behave as the modules they stand for. In processes of their own: this one has all modules loaded."""

import subprocess
import sys

import pytest

from cluster.waiting import PATIENCE

BEGIN = """
import sys
from wick_runtime.run.deferred import deferred
with deferred():
    import asyncio, uvloop, concurrent.futures
assert not {"ssl", "inspect", "logging", "traceback", "linecache"} & set(sys.modules)
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("name", ["ssl", "inspect", "logging", "traceback", "linecache"])
def test_who_imports_the_module_gets_the_real_one(name):
    run(f"import {name}\nassert type({name}).__name__ == 'module' and {name}.__file__")


def test_what_imported_a_stand_in_finds_everything_of_the_real_module():
    run("""
from asyncio import sslproto
theirs = sslproto.ssl
import ssl
assert theirs.SSLError is ssl.SSLError and theirs.CertificateError is ssl.CertificateError
assert theirs.SSLSession is ssl.SSLSession and theirs.PROTOCOL_TLS_CLIENT is ssl.PROTOCOL_TLS_CLIENT
assert isinstance(ssl.create_default_context(), theirs.SSLContext)
assert isinstance(theirs.create_default_context(), ssl.SSLContext)
try:
    theirs.nonsense
except AttributeError as error:
    assert "nonsense" in str(error)
else:
    raise AssertionError
""")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_an_error_nobody_caught_is_logged_by_the_real_logger(loop):
    done = run(f"""
import logging
logging.basicConfig(format="%(name)s %(message)s")
async def main():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.01)
{loop}.run(main())
""")
    assert "asyncio Exception in callback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_debug_mode_of_the_loop_works(loop):
    done = run(f"""
async def main():
    await asyncio.to_thread(len, "x")
    task = asyncio.ensure_future(asyncio.sleep(0))
    task.get_stack(); task.print_stack()
    await task
{loop}.run(main(), debug=True)
""")
    assert "await asyncio.sleep" not in done.stdout


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_tls_works_both_ways_and_its_errors_are_the_real_ones(loop, tmp_path):
    run(f"""
import ssl, subprocess
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
    "-keyout", r"{tmp_path}/key", "-out", r"{tmp_path}/cert", "-subj", "/CN=localhost",
    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
async def serve(reader, writer):
    writer.write(await reader.readline())
    writer.close()
async def main():
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(r"{tmp_path}/cert", r"{tmp_path}/key")
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ours)
    port = server.sockets[0].getsockname()[1]
    theirs = ssl.create_default_context(cafile=r"{tmp_path}/cert")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=theirs, server_hostname="localhost")
    writer.write(b"hello\\n")
    assert await reader.readline() == b"hello\\n"
    writer.close()
    try:
        await asyncio.open_connection("127.0.0.1", port, ssl=True, server_hostname="localhost")
    except ssl.SSLCertVerificationError:
        pass
    else:
        raise AssertionError
    server.close()
{loop}.run(main())
""")
