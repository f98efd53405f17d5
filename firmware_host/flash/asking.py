"""Asking a board that runs the app about itself, over the wire: how it does, what it keeps, to start anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import fields

from firmware_host.devices import open_device, probe
from firmware_host.errors import ConfigError, LinkError
from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import (
    Ack,
    AckResult,
    Command,
    CommandKind,
    Hello,
    Log,
    Message,
    PartState,
    Reset,
    SettingOrder,
    Status,
)
from firmware_host.protocol.parser import MessageParser

# Keys of SPEC.md; a board may know fewer. After "rate." comes a channel's name.
SETTINGS = ("id", "ring", "wear")
RATE = "rate."
# SPEC.md, Settings and safe mode.
_FITS = {
    "id": "1 to 32 printable ASCII characters",
    "ring": "KiB, 0 to 8192",
    "wear": "counts of the optical sensor, 0 to tell nothing of wear",
    "rate": "Hz, 0.1 to 200, of a channel that the board has",
}
_ANSWER_S = 3.0
_TRIES = 2
_READ_S = 0.25


def _fitting(key: str, else_: str) -> str:
    """What fits a key."""
    return _FITS.get(key.partition(".")[0], else_)


class Conversation:
    """A live board, opened: questions, each with its answer; a context manager.

    Raises
    ------
    LinkError
        If it cannot be opened, or is no Signet board.
    """

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._parser = MessageParser()
        self._token = 0
        self._transport = open_device(url)
        self.url = self._transport.url
        try:
            self.hello: Hello = probe(self._transport)
        except BaseException:
            self._transport.close()
            raise

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def status(self) -> Status:
        """How the board does.

        Raises
        ------
        LinkError
            If it does not say.
        """
        for _ in range(_TRIES):
            self._send(Command(CommandKind.STATUS))
            for message in self.messages(_ANSWER_S):
                if isinstance(message, Status):
                    return message
        raise LinkError(
            f"{self.url}: {self._who} tells no status; its app is older: {self._update}"
        )

    def kept(self, key: str) -> str | None:
        """What it keeps for ``key``, None if nothing.

        Raises
        ------
        ConfigError
            If it knows no such key.
        LinkError
            If it does not answer.
        """
        ack = self._order(Command(CommandKind.SETTING, SettingOrder.TELL, key=key))
        return ack.text or None

    def keep(self, key: str, text: str | None) -> None:
        """Have it keep ``text`` for ``key``, or nothing; in force from the next boot on.

        Raises
        ------
        ConfigError
            If it knows no such key, or no such value for it.
        LinkError
            If it does not answer, or cannot write.
        """
        order = SettingOrder.FORGET if text is None else SettingOrder.KEEP
        try:
            self._order(Command(CommandKind.SETTING, order, key=key, text=text or ""))
        except ConfigError:
            # The board's own no, which is a ValueError too.
            raise
        except ValueError as err:
            # The wire carries no such text.
            raise ConfigError(
                key, _fitting(key, "at most 32 bytes that can be printed"), text
            ) from err

    def reset(self, how: Reset) -> None:
        """Have it start anew.

        Raises
        ------
        LinkError
            If it does not answer or cannot.
        """
        self._order(Command(CommandKind.RESET, how))

    def setting_keys(self) -> list[str]:
        """Settings that this board can have."""
        return [*SETTINGS, *(f"{RATE}{channel.name}" for channel in self.hello.channels)]

    def messages(self, seconds: float) -> Iterator[Message]:
        """What it says for so long."""
        end_s = self._monotonic() + seconds
        while (left_s := end_s - self._monotonic()) > 0:
            chunk = self._transport.read(min(_READ_S, left_s))
            yield from self._parser.feed(chunk.data) if chunk else ()

    def logs(self, seconds: float) -> Iterator[Log]:
        """Lines of its log for so long; a board in safe mode repeats why."""
        return (message for message in self.messages(seconds) if isinstance(message, Log))

    def _order(self, command: Command) -> Ack:
        """Order it, again if no answer comes: these orders may be given twice."""
        for _ in range(_TRIES):
            token = self._send(command)
            for message in self.messages(_ANSWER_S):
                if isinstance(message, Ack) and message.token == token:
                    self._require_done(command, message)
                    return message
        raise LinkError(f"{self.url}: {self._who} does not answer; press its reset button")

    def _require_done(self, command: Command, ack: Ack) -> None:
        if ack.result is AckResult.UNKNOWN:
            raise LinkError(f"{self.url}: {self._who} knows no such order; {self._update}")
        if ack.result is AckResult.BAD_VALUE:
            known = ", ".join(self.setting_keys())
            fits = _fitting(command.key, f"a key of {known}")
            raise ConfigError(command.key or "reset", fits, command.text)
        if ack.result is AckResult.NOT_NOW:
            raise LinkError(
                f"{self.url}: {self._who} cannot do that now, or cannot write its flash"
            )

    def _send(self, command: Command) -> int:
        self._token += 1
        told = {field.name: getattr(command, field.name) for field in fields(command)}
        self._transport.write(
            encode_command(Command(**{**told, "token": self._token}), seq=self._token)
        )
        return self._token

    @property
    def _who(self) -> str:
        return f"{self.hello.board_id} ({self.hello.firmware})"

    @property
    def _update(self) -> str:
        return f"update it: signet flash --app-only --device {self.url.removeprefix('serial:')}"


def status_lines(status: Status) -> list[str]:
    """For a person."""
    counters = (
        ("free memory", status.free_bytes, " bytes"),
        ("boots since the app was put on", status.n_boots, ""),
        ("boots in a row that failed", status.n_failures, ""),
        ("samples not taken in time", status.n_late, ""),
        ("frames the line did not take", status.n_dropped, ""),
        ("times a sensor's memory ran over", status.n_overruns, ""),
        ("damaged frames from the host", status.n_bad_frames, ""),
    )
    lines = [f"up {status.uptime_s} s, booted because: {status.cause.name.lower()}"]
    lines += [f"{name}: {value}{unit}" for name, value, unit in counters if value is not None]
    for part in status.parts:
        errors = f", {part.n_errors} bus errors" if part.n_errors else ""
        state = part.state.name.lower() if part.state is not PartState.WORKS else "works"
        lines.append(f"{part.name}: {state}{errors}")
    return lines
