"""The listening sockets of an instance: bound by it, or inherited from the dormant process it was."""

import socket

from wick_runtime.config import WOKEN, RuntimeConfig, RuntimeSettingInvalid


def bind(host: str, port: int, name: str) -> socket.socket:
    """A TCP socket that does not listen yet: until then clients are refused, not left hanging."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        raise RuntimeSettingInvalid(f"{name}: cannot use {host}:{port}: {error.strerror}") from error
    return sock


def control(config: RuntimeConfig) -> list[socket.socket]:
    """The control port; behind it, in an instance that was dormant, the connection whose order woke it."""
    if config.woken is None:
        return [bind(config.host, config.control_port, "KUBEWICK_CONTROL_PORT")]
    return [_inherited(config.woken.listener), _inherited(config.woken.connection)]


def _inherited(fd: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        raise RuntimeSettingInvalid(f"{WOKEN}: {fd} is not a socket of this process: {error.strerror}") from error
    sock.set_inheritable(False)  # not for what the function starts
    return sock
