"""A listening socket closes without a reset for whoever was connected."""

import errno
import socket
import sys

import pytest

from wick_runtime.http.gate import bar, knocked, shut


@pytest.mark.skipif(sys.platform != "linux", reason="a socket filter is Linux's")
def test_who_waited_is_served_and_who_comes_later_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as gate, socket.socket() as late:
        assert not knocked(gate.fileno())
        with socket.create_connection(gate.getsockname()) as early:
            assert knocked(gate.fileno())
            bar(gate)
            late.settimeout(0)
            assert late.connect_ex(gate.getsockname()) == errno.EINPROGRESS
            early.sendall(b"still here")
            served, _ = gate.accept()
            assert served.recv(99) == b"still here"
            served.close()
        assert not knocked(gate.fileno()), "the late one was not let into the queue"
        other = gate.dup()  # as in another process of the instance
        address = gate.getsockname()
        shut(gate)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        other.close()
