from __future__ import annotations

import socket

import pytest

from firmware_host.errors import ConfigError, LinkClosed, LinkError, LinkTimeout
from firmware_host.transport import tcp
from firmware_host.transport.registry import open_transport


@pytest.mark.parametrize(
    "url",
    [
        "socket:", "socket://", "socket://host", "socket://:5000", "socket:host:5000",
        "socket://host:0", "socket://host:65536", "socket://host:x", "socket://host:1/path",
        "socket://me@host:1",
    ],
)  # fmt: skip
def test_a_malformed_url_is_refused_before_anything_is_opened(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected socket://HOST:PORT"):
        open_transport(url)


def test_refused_says_that_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(LinkError, match="refused: nothing listens there"):
        open_transport(f"socket://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer in 5 s"),
        (socket.gaierror(-2, "Name or service not known"), "no such host"),
        (OSError(101, "Network is unreachable"), "cannot connect .*unreachable"),
    ],
)
def test_each_way_not_to_connect_has_its_words(monkeypatch, error, words) -> None:
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(LinkError, match=words):
        open_transport("socket://board.example:5000")


def test_a_peer_that_takes_no_bytes_is_a_timeout_and_ends_the_link(monkeypatch) -> None:
    monkeypatch.setattr(tcp, "WRITE_TIMEOUT_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = open_transport(f"socket://127.0.0.1:{server.getsockname()[1]}")
        peer = server.accept()[0]
        with pytest.raises(LinkTimeout, match="takes no bytes"):
            transport.write(bytes(1 << 25))
        with pytest.raises(LinkClosed):
            transport.write(b"x")
        peer.close()


def test_chunks_carry_the_clock_of_the_boards_speed(monkeypatch, clock) -> None:
    monkeypatch.setattr(tcp, "host_clock", {2.5: clock}.get)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}?speed=2.5"
        transport = open_transport(url)
        peer = server.accept()[0]
        peer.sendall(b"x")
        assert transport.read(5.0) == (clock(), b"x")
        assert (transport.url, transport.now_utc()) == (url, clock())
        transport.close()
        peer.close()


def test_url_of_a_six_byte_address_keeps_its_brackets() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with server:
        url = f"socket://[::1]:{server.getsockname()[1]}"
        transport = open_transport(url)
        assert transport.url == url
        transport.close()
