"""Ports for servers of the tests."""

import socket


def free_ports(count: int) -> list[int]:
    """Returns ports that nobody listens on; held open together, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports
