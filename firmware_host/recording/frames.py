"""Messages of a board back to the bytes it sends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from firmware_host.protocol.encode import (
    encode_ack,
    encode_block,
    encode_event,
    encode_hello,
    encode_log,
    encode_ping,
    encode_pong,
    encode_status,
)
from firmware_host.protocol.messages import (
    Ack,
    Block,
    Event,
    Hello,
    Log,
    Message,
    Ping,
    Pong,
    Status,
)

TimedMessage = tuple[float, Message]


def pieces(
    messages: Iterable[TimedMessage], *, questions: bool = False
) -> Iterator[tuple[float, bytes]]:
    """(arrival_utc, wire bytes) of messages; those that arrived at one instant together."""
    encode = MessageEncoder(questions=questions)
    parts: list[bytes] = []
    at_utc = 0.0
    for utc, message in messages:
        if utc != at_utc and parts:
            yield at_utc, b"".join(parts)
            parts = []
        at_utc = utc
        if data := encode(message):
            parts.append(data)
    if parts:
        yield at_utc, b"".join(parts)


class MessageEncoder:
    """Messages of a board back to its frames.

    Blocks and events keep their recorded sequence numbers; kinds that do not carry one get a
    running number. What a host sends is no part of a board's stream and becomes nothing, except,
    with ``questions``, its PINGs.
    """

    def __init__(self, *, questions: bool = False) -> None:
        self._has_questions = questions
        self._n_hellos = 0
        self._n_answers = 0

    def __call__(self, message: Message) -> bytes:
        """Frames of ``message``, empty if a board does not send its kind."""
        if isinstance(message, Block):
            return encode_block(message)
        if isinstance(message, Hello):
            data = encode_hello(message, seq=self._n_hellos, ticks_us=message.ticks_us)
            # One zero byte ends each frame, and a frame holds one part.
            self._n_hellos += data.count(0)
            return data
        if isinstance(message, Pong | Ack | Status | Log):
            self._n_answers += 1
        return self._plain(message)

    def _plain(self, message: Message) -> bytes:
        match message:
            case Event():
                data = encode_event(message)
            case Pong():
                data = encode_pong(message, seq=self._n_answers)
            case Ack():
                data = encode_ack(message, seq=self._n_answers)
            case Status():
                data = encode_status(message, seq=self._n_answers)
            case Log():
                data = encode_log(message, seq=self._n_answers)
            case Ping() if self._has_questions:
                data = encode_ping(message, seq=message.token)
            case _:
                data = b""
        return data
