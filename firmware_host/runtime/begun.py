"""Whether a recording has anything of what was asked for, without which it is no recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware_host.protocol.messages import Block, Hello, Message
from firmware_host.runtime.rates import is_at


@dataclass(slots=True)
class Begun:
    """Sees the messages of a board until one is of use.

    Parameters
    ----------
    rates
        Sample rates that the board was to have, Hz by channel name; what came at others is not what
        was asked for.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    has_begun: bool = field(default=False, init=False)
    """Samples came at the wanted rates."""
    _is_as_wanted: bool = field(default=False, init=False)

    def take(self, message: Message) -> None:
        """See the next message."""
        if isinstance(message, Hello):
            self._is_as_wanted = all(
                (channel := message.channel(name)) is not None and is_at(channel, rate_hz)
                for name, rate_hz in self.rates.items()
            )
        elif isinstance(message, Block) and self._is_as_wanted:
            self.has_begun = True
