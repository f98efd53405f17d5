"""What a virtual board does when the host tells it to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware_host.protocol.messages import (
    MAX_STREAMS,
    Ack,
    AckResult,
    Command,
    CommandKind,
    EventKind,
    Reset,
)
from sim.ring import NOTHING, Coming
from sim.schedule import BodyEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.board_words import Words
    from sim.body import Body
    from sim.ring import Ring
    from sim.sensor_stream import SensorStream
    from sim.settings import Settings

CUE_PATTERNS = (1, 2, 3)
# How long somebody takes to press a button about a tap on the wrist.
ANSWER_S = 6.0
# Commands about what a board measures: in safe mode it measures nothing.
_MEASURING = (
    CommandKind.START,
    CommandKind.STOP,
    CommandKind.CUE,
    CommandKind.RATE,
    CommandKind.BACKFILL,
)


@dataclass(frozen=True, slots=True)
class Cue:
    """One buzz of the haptic motor."""

    t_s: float
    pattern: int


class Obedient(ABC):
    """The part of a board that obeys; the rest, and what it consists of, is `sim.board.VirtualBoard`."""

    _body: Body
    _streams: list[SensorStream]
    # Which channel each stream number has belonged to since boot.
    _numbers: dict[int, SensorStream]
    _ring: Ring
    _settings: Settings
    _events: list[BodyEvent]
    _event_at: int
    _cues: list[Cue]
    _replies: bytearray
    _words: Words
    _session: int
    _now_s: float
    _hello_s: float
    _status_s: float
    _streaming: bool
    _tells_state: bool
    _is_safe: bool

    @abstractmethod
    def _next_block(self, stream: SensorStream, n: int) -> bytes:
        """The next n samples as a frame, which goes into the ring; nothing if the body has none left."""

    @abstractmethod
    def _ticks_us(self, t_s: float) -> int:
        """The board's clock."""

    @abstractmethod
    def _start_anew(self, how: Reset) -> None:
        """Boot, as the host wants."""

    def _obey(self, command: Command) -> None:
        coming = NOTHING
        if self._is_safe and command.kind in _MEASURING:
            result = AckResult.NOT_NOW
        elif command.kind == CommandKind.BACKFILL:
            result, coming = self._fill(command)
        else:
            result = self._orders.get(command.kind, _unknown)(command)
        ack = Ack(
            self._session,
            self._ticks_us(self._now_s),
            command.kind,
            result,
            command.token,
            command.stream,
            command.sample_idx,
            *coming,
            key=command.key,
            text=self._settings.text(command.key),
        )
        self._replies += self._words.ack(ack)
        if command.kind == CommandKind.RESET and result is AckResult.DONE:
            self._start_anew(Reset(command.value))

    @property
    def _orders(self) -> dict[int, Callable[[Command], AckResult]]:
        return {
            CommandKind.START: self._start,
            CommandKind.STOP: self._stop,
            CommandKind.CUE: self._buzz,
            CommandKind.RATE: self._set_rate,
            CommandKind.STATUS: self._show_status,
            CommandKind.RESET: self._reset,
            CommandKind.SETTING: self._set,
        }

    def _start(self, _: Command) -> AckResult:
        if not self._streaming:
            for stream in self._streams:
                stream.skip_to(self._now_s)
        self._streaming = self._tells_state = True
        self._hello_s = self._now_s
        return AckResult.DONE

    def _stop(self, _: Command) -> AckResult:
        self._streaming = False
        self._ring.forget_asked()
        return AckResult.DONE

    def _set_rate(self, command: Command) -> AckResult:
        stream = self._numbers.get(command.stream)
        factor = None if stream is None else stream.factor_for(command.value)
        if stream is None or factor is None:
            return AckResult.BAD_VALUE
        if not stream.has_rate(command.value):
            number = next((n for n in range(MAX_STREAMS) if n not in self._numbers), None)
            if number is None:
                return AckResult.NOT_NOW
            n_left = stream.n_taken(self._now_s) if self._streaming else 0
            # Before the ACK, so that the last block of the old rate comes before the new HELLO.
            self._replies += self._next_block(stream, n_left) if n_left else b""
            stream.change_rate(factor, number)
            self._numbers[number] = stream
        self._hello_s = self._now_s
        return AckResult.DONE

    def _show_status(self, _: Command) -> AckResult:
        self._status_s = self._now_s
        return AckResult.DONE

    def _reset(self, command: Command) -> AckResult:
        # It has no bootloader.
        can = command.value in (Reset.ANEW, Reset.SAFE)
        return AckResult.DONE if can else AckResult.BAD_VALUE

    def _set(self, command: Command) -> AckResult:
        return self._settings.obey(command.value, command.key, command.text)

    def _fill(self, command: Command) -> tuple[AckResult, Coming]:
        if not self._ring.capacity_bytes or command.value < 1:
            has_ring = self._ring.capacity_bytes > 0
            return AckResult.BAD_VALUE if has_ring else AckResult.UNKNOWN, NOTHING
        coming = self._ring.ask(command.stream, command.sample_idx, command.value, self._now_s)
        return (AckResult.DONE, coming) if coming else (AckResult.NOT_NOW, NOTHING)

    def _buzz(self, command: Command) -> AckResult:
        pattern = command.value
        if pattern not in CUE_PATTERNS:
            return AckResult.BAD_VALUE
        self._cues.append(Cue(self._now_s, pattern))
        answer = self._body.answer_to_cue(self._now_s)
        if answer is not None:
            pressed = BodyEvent(self._now_s + ANSWER_S, EventKind.BUTTON, int(answer))
            insort(self._events, pressed, lo=self._event_at, key=lambda event: event.t_s)
        return AckResult.DONE


def _unknown(_: Command) -> AckResult:
    return AckResult.UNKNOWN
