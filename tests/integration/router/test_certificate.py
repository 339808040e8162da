"""HTTPS, and what becomes of the certificate when its files change under a serving router."""

import asyncio
import contextlib
import logging
import os
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from static import function

from cluster.waiting import PATIENCE
from wick_router.admin.exposition import write

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET /function/default/hello/ HTTP/1.1\r\nHost: a\r\n\r\n"
AUTHORITY = trustme.CA()
LONG_AGO = datetime.now(UTC) - timedelta(days=30)


class Files:
    """A certificate and its key where the router looks for them."""

    def __init__(self, folder):
        self.chain, self.key, self.changes = folder / "tls.crt", folder / "tls.key", 0
        self.put(self.issued())

    @staticmethod
    def issued(**more):
        """The PEM of a chain, and of its key."""
        made = AUTHORITY.issue_cert("router.example", **more)
        return b"".join(each.bytes() for each in made.cert_chain_pems), made.private_key_pem.bytes()

    def put(self, pair):
        self.changes += 1
        for path, text in zip((self.chain, self.key), pair, strict=True):
            path.write_bytes(text)
            os.utime(path, (self.changes, self.changes))  # file systems' own clocks may be coarse

    @property
    def config(self):
        return {"tls_port": 0, "tls_certificate": str(self.chain), "tls_key": str(self.key)}


UNUSABLE = {
    "no certificate at all": lambda: (b"not a certificate", b"nor a key"),
    "cut off in the middle": lambda: tuple(each[: len(each) // 2] for each in Files.issued()),
    "the key of another certificate": lambda: (Files.issued()[0], Files.issued()[1]),
    "expired": lambda: Files.issued(not_before=LONG_AGO, not_after=LONG_AGO + timedelta(days=1)),
    "not yet valid": lambda: Files.issued(not_before=datetime.now(UTC) + timedelta(days=1)),
}


async def called(world):
    """A request over a new TLS connection; the certificate that was shown, and the answer."""
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", world.r.tls_port, ssl=trusting, server_hostname="router.example"
    )
    writer.write(GET)
    answer = await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return shown, answer


def der(pair):
    return ssl.PEM_cert_to_DER_cert(pair[0].decode().partition("-----END CERTIFICATE-----")[0] + ssl.PEM_FOOTER)


async def looked(world):
    """The router looks at the files; by itself it does so every two seconds."""
    world.r.plane.certificate.refresh()
    return await called(world)


def metrics(world):
    (*_, page) = write(world.r.plane)
    lines = "".join(line for family in page.families.values() for line in family).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture
async def files(world, tmp_path):
    """Of a router that serves HTTPS."""

    async def script(connection):
        while True:
            connection.seen = await connection.head()
            connection.send(OK)

    files = Files(tmp_path)
    files.upstream = await world.serve(script, function("hello", visibility="public"), **files.config)
    return files


async def test_https_is_served_and_the_function_is_told(world, files):
    _, answer = await called(world)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"X-Forwarded-Proto: https" in files.upstream.connections[0].seen


async def test_a_new_certificate_is_taken_without_a_restart(world, files):
    before, _ = await called(world)
    files.put(files.issued())
    async with asyncio.timeout(PATIENCE):
        while (await called(world))[0] == before:  # noqa: ASYNC110 - the sweep looks at the files in time
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("what", UNUSABLE)
async def test_an_unusable_certificate_is_refused_and_the_one_in_use_stays(world, files, what, caplog):
    before, _ = await called(world)
    caplog.set_level(logging.WARNING)
    files.put(UNUSABLE[what]())
    for _ in range(3):
        shown, answer = await looked(world)
        assert (shown, answer[:12]) == (before, b"HTTP/1.1 200")
    assert [record.message for record in caplog.records if "certificate is not used" in record.message] != []
    assert len(caplog.records) == 1, "once, not in every round"
    assert metrics(world)["kubewick_router_certificate_refused"] == 1
    good = files.issued()
    files.put(good)
    assert (await looked(world))[0] == der(good)
    said = metrics(world)
    assert said["kubewick_router_certificate_refused"] == 0
    assert said['kubewick_router_certificates_total{outcome="taken"}'] == 1
    assert said['kubewick_router_certificates_total{outcome="refused"}'] == 1


async def test_files_that_vanish_leave_the_certificate_in_use(world, files):
    before, _ = await called(world)
    pair = files.chain.read_bytes(), files.key.read_bytes()
    files.key.unlink()
    assert (await looked(world))[0] == before
    assert metrics(world)["kubewick_router_certificate_refused"] == 1
    files.changes = 0
    files.put(pair)
    assert (await looked(world))[0] == before
    assert metrics(world)["kubewick_router_certificate_refused"] == 0


async def test_a_connection_goes_on_while_the_certificate_changes(world, files):
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", world.r.tls_port, ssl=trusting, server_hostname="router.example"
    )
    for pair in (files.issued(), UNUSABLE["expired"](), files.issued()):
        files.put(pair)
        await looked(world)
        writer.write(GET)
        assert (await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_an_expired_certificate_does_not_keep_a_router_from_starting(world, tmp_path, caplog):
    files = Files(tmp_path)
    files.put(UNUSABLE["expired"]())
    await world.router(function("hello", visibility="public"), **files.config)
    assert "of little use" in caplog.text


@pytest.mark.usefixtures("files")
async def test_a_refusal_reaches_a_client_that_said_goodbye_with_its_request(world):
    """Both in one segment, so both are read in one turn of the loop."""
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    to_client, to_router = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = trusting.wrap_bio(to_client, to_router, server_hostname="router.example")
    reader, writer = await asyncio.open_connection("127.0.0.1", world.r.tls_port)
    while True:
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            writer.write(to_router.read())
            to_client.write(await asyncio.wait_for(reader.read(65536), 5))
        else:
            break
    session.write(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
    with contextlib.suppress(ssl.SSLWantReadError):
        session.unwrap()
    writer.write(to_router.read())
    to_client.write(await asyncio.wait_for(reader.read(), 5))
    writer.close()
    assert session.read().startswith(b"HTTP/1.1 404")
