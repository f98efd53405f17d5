"""Other sample rates, asked of the board until it says them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware_host.errors import ConfigError, LinkTimeout
from firmware_host.protocol.messages import Ack, AckResult, Channel, Command, CommandKind, Hello

# A board answers at once; a line that is full of its backlog takes longer.
RESEND_S = 1.0
# With a HELLO each 5 s, one of which may be lost.
MAX_TRIES = 12
# A board that cannot now may be able to in a moment.
_MAX_NOT_NOW = 4
_MILLI = 1000.0

RATES_KEY = "--rate or [device] rates"


@dataclass(slots=True)
class _Wish:
    """One channel that is to come at another rate."""

    stream: int
    token: int
    asked_s: float
    n_blocks: int
    n_tries: int = 1
    is_agreed: bool = False


class Rates:
    """Asks until the board's HELLO says the wanted rates, after each boot anew.

    Parameters
    ----------
    wanted
        Rate in Hz by channel name.
    number
        Gives the next token.
    """

    def __init__(self, wanted: Mapping[str, float], number: Callable[[], int]) -> None:
        self._wanted = wanted
        self._number = number
        self._session = -1
        self._wishes: dict[str, _Wish] = {}

    def due(self, hello: Hello, now_s: float, n_blocks: int) -> list[Command]:
        """Commands to send now; again only if blocks came meanwhile, of which there are ``n_blocks`` by now.

        Who hears nothing cannot tell whether it is answered: that is for whoever watches for silence.

        Raises
        ------
        ConfigError
            If the board has no such channel.
        LinkTimeout
            If it was asked `MAX_TRIES` times while it sent data, and does not say the rate.
        """
        if hello.session != self._session:
            self._session = hello.session
            self._wishes = {}
        commands = []
        for name, rate_hz in self._wanted.items():
            channel = hello.channel(name)
            if channel is None:
                known = ", ".join(c.name for c in hello.channels)
                raise ConfigError(RATES_KEY, f"channels of this board ({known})", name)
            if is_at(channel, rate_hz):
                self._wishes.pop(name, None)
            elif self._is_due(name, channel, rate_hz, now_s, n_blocks):
                wish = self._wishes[name]
                value = round(rate_hz * _MILLI)
                commands.append(Command(CommandKind.RATE, value, wish.token, wish.stream))
        return commands

    def take(self, answer: Ack, hello: Hello) -> None:
        """Take the board's answer.

        Raises
        ------
        ConfigError
            If it is a refusal.
        """
        for name, wish in self._wishes.items():
            if wish.token != answer.token:
                continue
            if answer.result is AckResult.DONE:
                wish.is_agreed = True
            elif answer.result is not AckResult.NOT_NOW or wish.n_tries >= _MAX_NOT_NOW:
                raise self._refusal(name, answer.result, hello)

    def _is_due(
        self, name: str, channel: Channel, rate_hz: float, now_s: float, n_blocks: int
    ) -> bool:
        wish = self._wishes.get(name)
        if wish is None:
            self._wishes[name] = _Wish(channel.stream, self._number(), now_s, n_blocks)
            return True
        if abs(now_s - wish.asked_s) < RESEND_S or n_blocks == wish.n_blocks:
            return False
        if wish.n_tries >= MAX_TRIES:
            raise LinkTimeout(_in_vain(name, rate_hz, wish, channel))
        wish.n_tries += 1
        wish.asked_s, wish.n_blocks = now_s, n_blocks
        return True

    def _refusal(self, name: str, result: AckResult, hello: Hello) -> ConfigError:
        channel = hello.channel(name)
        has = "" if channel is None else f"; it has {channel.rate_hz:g} Hz"
        expected = {
            AckResult.UNKNOWN: "nothing, as this board cannot change sample rates",
            AckResult.BAD_VALUE: f"a rate of {name} that this board can do, and it cannot do this one",
            AckResult.NOT_NOW: f"another time, as the board cannot change {name} now: reset it",
        }[result]
        return ConfigError(RATES_KEY, expected + has, f"{name}={self._wanted[name]:g}")


def _in_vain(name: str, rate_hz: float, wish: _Wish, channel: Channel) -> str:
    wanted = f"{name} at {rate_hz:g} Hz, asked {wish.n_tries} times"
    if wish.is_agreed:
        return f"the board agreed but still says {channel.rate_hz:g} Hz: {wanted}"
    return f"the board did not answer: {wanted}"


def is_at(channel: Channel, rate_hz: float) -> bool:
    """Whether a channel has a rate, as far as a command's mHz and HELLO's single precision can say."""
    return abs(channel.rate_hz - rate_hz) <= 0.5 / _MILLI + 1e-6 * rate_hz
