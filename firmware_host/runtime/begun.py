"""Whether a recording has anything worth keeping where an error ends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware_host.errors import StreamSilent
from firmware_host.protocol.messages import Block, Event, EventKind, Hello, Message
from firmware_host.runtime.rates import is_at


@dataclass(slots=True)
class Begun:
    """Sees what comes until something is of use: samples as they were asked for, or what a person said.

    Parameters
    ----------
    rates
        Sample rates that the board was to have, Hz by channel name; what came at others is not what
        was asked for.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    has_begun: bool = field(default=False, init=False)
    """Samples came at the wanted rates, or somebody said something."""
    _is_as_wanted: bool = field(default=False, init=False)

    def take(self, message: Message) -> None:
        """See the next message."""
        if isinstance(message, Hello):
            self._is_as_wanted = all(
                (channel := message.channel(name)) is not None and is_at(channel, rate_hz)
                for name, rate_hz in self.rates.items()
            )
        elif isinstance(message, Block):
            self.has_begun |= self._is_as_wanted
        elif isinstance(message, Event):
            self.has_begun |= message.kind is EventKind.BUTTON

    def said(self) -> None:
        """Somebody typed a note or gave a label."""
        self.has_begun = True

    def is_worth_keeping(self, error: BaseException | None) -> bool:
        """Whether a recording that ends with this error stays.

        One that does not would only be in the way of the next try. That a board was silent is worth knowing.
        """
        return self.has_begun or error is None or isinstance(error, StreamSilent)
