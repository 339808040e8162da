"""The TLS certificate, read again when its files change; a new one is used only when it would serve.

    files changed -> tried: a handshake with itself, in memory -> taken: new handshakes use it; open connections go on
                        | unreadable, key of another certificate, expired, not yet valid
                        +-> refused: the one in use stays; tried again in each later round, told once

The listening socket's context cannot be mended in place: OpenSSL takes a certificate whose key does not fit as far as
dropping the good key. So each certificate gets a context of its own, and every handshake is led to the current one.
"""

import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)

Stamp = tuple[int, ...]
"""Tells one state of the two files from another."""
MISSING: Stamp = (0,)


class Certificate:
    """See the module. Making it raises `OSError` (`ssl.SSLError` is one) when the files are of no use at all."""

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain, self._key = chain, key
        self._seen = self._stamp()
        self._refused: Stamp = ()
        self.outcomes = {"taken": 0, "refused": 0}
        """What became of new certificates; each counts once."""
        self.context = loaded(chain, key)
        """What the socket listens with."""
        self.context.sni_callback = self._lead
        self._current = self.context
        try:
            prove(self.context, chain)
        except ssl.SSLError as error:  # expired, perhaps, but there is no better one
            log.warning("the TLS certificate is of little use: %s", error)

    @property
    def refused(self) -> bool:
        """Whether the files hold another certificate than the one in use, because it is of no use."""
        return bool(self._refused)

    def refresh(self) -> None:
        """Take a new certificate when there is one; one that would not serve is reported, and the old one stays."""
        stamp = MISSING
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                self._refused = ()  # what is in use was put back
                return
            context = loaded(self._chain, self._key)
            prove(context, self._chain)
        except OSError as error:
            self._refuse(stamp, error)
        else:
            self._current, self._seen, self._refused = context, stamp, ()
            self.outcomes["taken"] += 1
            log.info("the TLS certificate was read again")

    def _refuse(self, stamp: Stamp, error: OSError) -> None:
        if stamp != self._refused:
            self._refused = stamp
            self.outcomes["refused"] += 1
            log.warning("the new TLS certificate is not used, the old one stays: %s", error)

    def _lead(self, handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = self._current

    def _stamp(self) -> Stamp:
        found = [path.stat() for path in (self._chain, self._key)]
        return tuple(value for stat in found for value in (stat.st_mtime_ns, stat.st_ino, stat.st_size))


def loaded(chain: Path, key: Path) -> ssl.SSLContext:
    """A server's context with this certificate; `OSError` when the files are not there, no PEM, or do not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(chain, key, password="")  # else OpenSSL would ask the terminal for it
    return context


def prove(server: ssl.SSLContext, chain: Path) -> None:
    """Shake hands with a client that trusts this very certificate: `ssl.SSLError` when it has expired or has not begun.

    Whether anybody else trusts it is the issuer's affair.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(chain)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (asking, answering, asking, answering):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
