"""A device of the library at its end, at a boot, and when it falls silent: nothing that came is lost or misdated."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware_host.errors import LinkClosed, LinkEnded, LinkError, StreamSilent
from firmware_host.events import StreamNoted
from firmware_host.protocol.encode import encode_block, encode_hello
from firmware_host.protocol.messages import Block, Channel, Command, CommandKind, Hello
from firmware_host.protocol.parser import MessageParser
from firmware_host.runtime import device as device_module
from firmware_host.runtime.device import Device
from firmware_host.transport.base import Chunk

UTC0 = 1.7e9
ACC = Channel(0, "acc", "g", 100.0, 1.0, 0.0, "i16", 1)


def _hello(session: int) -> bytes:
    hello = Hello(session, "b", "f", (ACC,), 1, 0, 9999)
    return encode_hello(hello, seq=0, ticks_us=0)


def _block(session: int, n: int) -> bytes:
    """The second from ``n`` on."""
    return encode_block(Block(session, 0, n, n * 1_000_000, 0, n * 100, b"\1\0" * 100))


# The block of the second from 1 on is lost, so that the later ones wait for it.
_WITH_GAP = [(0, _hello(7)), (1, _block(7, 0)), (3, _block(7, 2)), (4, _block(7, 3))]


class _Line:
    """Gives what it is told to, then ends."""

    url = "serial:f"

    def __init__(
        self, said: list[tuple[float, bytes]], end: type[LinkError], *, virtual_time: bool = True
    ) -> None:
        self._said = list(said)
        self._end = end
        self.virtual_time = virtual_time
        self.sent = bytearray()

    def read(self, timeout_s: float) -> Chunk | None:  # noqa: ARG002 - time stands still
        if not self._said:
            if self.virtual_time:
                raise self._end("it is over")
            return None
        at_s, data = self._said.pop(0)
        return Chunk(UTC0 + at_s, data)

    def write(self, data: bytes) -> None:
        self.sent += data

    def now_utc(self) -> float:
        return UTC0

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Device]:
    def open_it(line: _Line, **options: float | Callable[[], float]) -> Device:
        monkeypatch.setattr(device_module, "open_device", lambda _url: line)
        return Device(line.url, **options)  # type: ignore[arg-type]

    return open_it


def test_what_waits_at_a_boot_has_the_times_of_the_session_that_ends(opened) -> None:
    line = _Line([*_WITH_GAP, (504, _hello(8)), (505, _block(8, 0))], LinkEnded)
    blocks = list(opened(line))
    assert [(b.t_s, b.missing_before) for b in blocks] == [(0, 0), (2, 100), (3, 0), (0, 0)]
    assert [b.utc - UTC0 for b in blocks] == pytest.approx([0, 2, 3, 504], abs=0.1)


@pytest.mark.parametrize("end", [LinkEnded, LinkClosed])
def test_what_waits_at_the_end_is_handed_out_before_it(opened, end: type[LinkError]) -> None:
    device = opened(_Line(_WITH_GAP, end))
    n_samples = 0
    with pytest.raises(end, match="it is over"):
        while True:
            n_samples += sum(
                len(x.values) for x in device.read() if isinstance(x, device_module.Block)
            )
    assert n_samples == 300
    assert device.counters["acc"]["samples"] == 300
    with pytest.raises(LinkEnded, match="closed or is over"):
        device.read()


def test_live_board_without_samples_is_noted_woken_and_an_error_after_what_waited(opened) -> None:
    now_s = [0.0]

    def monotonic() -> float:
        now_s[0] += 0.05
        return now_s[0]

    # It says what it is on and on.
    line = _Line(
        [*_WITH_GAP, *((5 + n, _hello(7)) for n in range(900))], LinkEnded, virtual_time=False
    )
    device = opened(line, silence_s=5.0, max_silence_s=20.0, monotonic=monotonic)
    seen: list[Block | StreamNoted] = []
    with pytest.raises(StreamSilent, match="there but sends no samples"):
        while True:
            seen += device.read()
    whats = [x.what for x in seen if isinstance(x, StreamNoted)]
    assert whats.count("silence") == 1
    assert sum(len(x.values) for x in seen if not isinstance(x, StreamNoted)) == 300
    told = [m for m in MessageParser().feed(bytes(line.sent)) if isinstance(m, Command)]
    assert CommandKind.START in [m.kind for m in told[1:]]
