"""What a board that streams is told: say who you are, other sample rates, lost blocks once more, tap, go on."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firmware_host.protocol.encode import encode_command
from firmware_host.protocol.messages import Ack, AckResult, Command, CommandKind, Hello
from firmware_host.runtime.link import Link
from firmware_host.runtime.rates import RESEND_S, Rates
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.hold import Hole

_LOGGER = logging.getLogger(__name__)

# A command and its answer, at the pace at which a board sends again.
_ASK_AGAIN_S = 2.0
_MAX_ASKS = 4
# As many ranges as the smallest board remembers.
_MAX_OPEN = 8
# A line that loses everything must not be flooded with questions.
_MAX_ASKS_A_MINUTE = 240
_MINUTE_S = 60.0
_MAX_VALUE = (1 << 31) - 1
# Who was asked for a HELLO in vain for long is asked no oftener: it says it by itself, or never will.
_SELDOM_S = 60.0

Told = Callable[[Command, float], None]


@dataclass(slots=True)
class _Question:
    n_asks: int
    asked_s: float


class Backfill:
    """Asks for what is missing, a few times and not too often; what comes of it is the stream's."""

    def __init__(self, number: Callable[[], int]) -> None:
        self._number = number
        self.n_asked = 0
        """Questions so far."""
        # By stream and end: a hole that is being filled shrinks from its start.
        self._questions: dict[tuple[int, int], _Question] = {}
        self._minute_s = 0.0
        self._n_in_minute = 0

    def due(self, holes: list[Hole], now_s: float) -> list[Command]:
        """Questions to ask now; ``now_s`` is the board's time."""
        ends = {(hole.stream, hole.sample_idx + hole.n_samples): hole for hole in holes}
        self._questions = {end: q for end, q in self._questions.items() if end in ends}
        if not 0 <= now_s - self._minute_s < _MINUTE_S:
            self._minute_s = now_s
            self._n_in_minute = 0
        commands = []
        for end, hole in ends.items():
            if self._may_ask(end, hole.idle_s, now_s):
                commands.append(
                    Command(
                        CommandKind.BACKFILL,
                        min(hole.n_samples, _MAX_VALUE),
                        self._number(),
                        hole.stream,
                        hole.sample_idx,
                    )
                )
        self.n_asked += len(commands)
        return commands

    def _may_ask(self, end: tuple[int, int], idle_s: float, now_s: float) -> bool:
        question = self._questions.get(end)
        if question is None:
            if len(self._questions) >= _MAX_OPEN:
                return False
            question = self._questions[end] = _Question(0, now_s)
        elif (
            question.n_asks >= _MAX_ASKS
            or idle_s < _ASK_AGAIN_S
            or 0 <= now_s - question.asked_s < _ASK_AGAIN_S
        ):
            return False
        if self._n_in_minute >= _MAX_ASKS_A_MINUTE:
            return False
        self._n_in_minute += 1
        question.n_asks += 1
        question.asked_s = now_s
        return True


@dataclass(slots=True)
class Orders:
    """The only way for commands to a board that streams, by the answers that the assembler collects.

    A recording is asked nothing, and neither is a board that is away.

    Parameters
    ----------
    wanted_rates_hz
        By channel name.
    """

    link: Link
    wanted_rates_hz: Mapping[str, float] = field(default_factory=dict)
    n_cues_refused: int = field(default=0, init=False)
    _n_given: int = 0
    _n_strange: int = 0
    _hello: Hello | None = None
    _introduced_s: float = -math.inf
    _again_s: float = 0.0
    _rates: Rates = field(init=False)
    _backfill: Backfill = field(init=False)

    def __post_init__(self) -> None:
        self._rates = Rates(self.wanted_rates_hz, self._next_token)
        self._backfill = Backfill(self._next_token)

    @property
    def n_asked(self) -> int:
        """How often lost blocks were asked for."""
        return self._backfill.n_asked

    def give_due(self, assembler: StreamAssembler, told: Told) -> None:
        """Give the orders that are due; ``told`` hears of each and when, before it is sent.

        Raises
        ------
        ConfigError
            If the board refuses a rate.
        LinkTimeout
            If it never takes it.
        """
        if not self._is_heard:
            return
        now_utc = self.link.now_utc()
        commands = self._introduce(assembler, now_utc)
        if assembler.hello is not None:
            commands += self._due(assembler, assembler.hello, now_utc)
        self._give(commands, now_utc, told)

    def cue(self, pattern: int, told: Told) -> None:
        """Tap the wearer; ``pattern`` is the haptic pattern of the wire protocol."""
        if self._is_heard:
            command = Command(CommandKind.CUE, pattern, self._next_token())
            self._give([command], self.link.now_utc(), told)

    def wake(self, told: Told) -> None:
        """Tell a board that has fallen silent to stream."""
        if self._is_heard:
            self._give([self._start()], self.link.now_utc(), told)

    @property
    def _is_heard(self) -> bool:
        return self.link.has_board and self.link.is_up

    def _give(self, commands: list[Command], now_utc: float, told: Told) -> None:
        for command in commands:
            told(command, now_utc)
            self.link.write(encode_command(command, seq=command.token))

    def _start(self) -> Command:
        return Command(CommandKind.START, token=self._next_token())

    def _introduce(self, assembler: StreamAssembler, now_s: float) -> list[Command]:
        """Ask for a HELLO when blocks come that none has announced: the one of a boot may be lost.

        A board that never announces them is asked ever more seldom.
        """
        if assembler.hello != self._hello:
            self._hello, self._again_s = assembler.hello, 0.0
        n_strange = assembler.n_foreign + assembler.n_unknown_stream
        is_more, self._n_strange = n_strange != self._n_strange, n_strange
        if not is_more or 0 <= now_s - self._introduced_s < self._again_s:
            return []
        self._again_s = min(max(2 * self._again_s, RESEND_S), _SELDOM_S)
        self._introduced_s = now_s
        return [self._start()]

    def _due(self, assembler: StreamAssembler, hello: Hello, now_s: float) -> list[Command]:
        while assembler.answers:
            answer = assembler.answers.popleft()
            if answer.command == CommandKind.RATE:
                self._rates.take(answer, hello)
            elif answer.command == CommandKind.CUE:
                self._take_cue_answer(answer)
            elif answer.command == CommandKind.BACKFILL:
                _LOGGER.debug(
                    "backfill: %d frames come, %d samples gone", answer.frames, answer.gone
                )
        commands = self._rates.due(hello, now_s, assembler.n_blocks) if self.wanted_rates_hz else []
        holes = assembler.holes
        if holes:
            # By the board's own time: while nothing comes from it, it cannot hear either.
            commands += self._backfill.due(holes, assembler.waiting_at_s)
        return commands

    def _take_cue_answer(self, answer: Ack) -> None:
        if answer.result is AckResult.DONE:
            return
        if not self.n_cues_refused:
            _LOGGER.warning(
                "the board cannot tap: it refused a cue (%s)", answer.result.name.lower()
            )
        self.n_cues_refused += 1

    def _next_token(self) -> int:
        self._n_given += 1
        return self._n_given
