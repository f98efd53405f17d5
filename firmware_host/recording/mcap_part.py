"""One MCAP file of a recording: schemas, channels and messages, in pieces that are written whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from firmware_host.protocol.messages import Channel, Hello
from firmware_host.recording import mcap_json, mcap_schemas
from firmware_host.recording.append_file import AppendFile

if TYPE_CHECKING:
    from mcap.writer import Writer

PROFILE = "signet"
FORMAT_VERSION = "1"
HELLO_METADATA = "signet.hello"
RECORDING_METADATA = "signet.recording"
# Two seconds of all channels are half of it; the minute that a stalled line gives at once would be 200 kB. What a
# chunk takes, with its compressed and its index, the allocator keeps for good.
_CHUNK_BYTES = 1 << 15
_NS = 1_000_000_000


def to_ns(utc: float) -> int:
    """UNIX seconds as whole ns; exact the way back for every time since 1971."""
    if not 0 <= utc < math.inf:
        msg = f"expected UNIX seconds from 1970 on, got {utc}"
        raise ValueError(msg)
    whole = math.floor(utc)
    # Splitting first: utc * 1e9 as a float would be off by up to 128 ns.
    return whole * _NS + round((utc - whole) * _NS)


class McapPart:
    """Fills one file, which can be read on its own; nothing gets there before `commit`, `flush` or `finish`.

    Parameters
    ----------
    number
        How many parts of the recording come before it.
    """

    def __init__(self, file: AppendFile, number: int) -> None:
        from mcap.writer import Writer

        self.file = file
        self.n_messages = 0
        self.from_utc = math.inf
        """The earliest arrival that a flush has shown."""
        self.channel_ids: dict[tuple[str, Channel | None], int] = {}
        """Number of each channel by topic and stream."""
        self._schema_ids: dict[tuple[str, Channel | None], int] = {}
        self._buffer = _Buffer()
        self._writer: Writer = Writer(self._buffer, chunk_size=_CHUNK_BYTES)
        self._writer.start(profile=PROFILE, library="signet")
        about = {"format": FORMAT_VERSION, "part": str(number)}
        self._writer.add_metadata(RECORDING_METADATA, about)

    def new_channel(self, topic: str, schema: str, channel: Channel | None) -> int:
        """Number of a channel that the file does not have yet."""
        if (schema, channel) not in self._schema_ids:
            text = mcap_schemas.schema_json(schema, channel)
            name = schema if channel is None else f"{schema}.{channel.name}"
            self._schema_ids[schema, channel] = self._writer.register_schema(
                name=name, encoding="jsonschema", data=text
            )
        new: int = self._writer.register_channel(
            topic=topic,
            message_encoding="json",
            schema_id=self._schema_ids[schema, channel],
            metadata=mcap_json.channel_metadata(channel) if channel else {},
        )
        self.channel_ids[topic, channel] = new
        return new

    def introduce(self, hello: Hello) -> None:
        """Describe the board beside the messages too, the first one of the file."""
        if any(topic == "/board/hello" for topic, _ in self.channel_ids):
            return
        text = mcap_json.encode_plain(hello).decode()
        self._writer.add_metadata(HELLO_METADATA, {"board_id": hello.board_id, "json": text})

    def add(
        self,
        mcap_channel: int,
        payload: bytes,
        arrival_utc: float,
        board_utc: float | None,
        seq: int,
    ) -> None:
        """Take a message; ``board_utc`` None or NaN is not known."""
        log_ns = to_ns(arrival_utc)
        publish_ns = log_ns
        if board_utc is not None and math.isfinite(board_utc):
            publish_ns = to_ns(board_utc)
        self._writer.add_message(mcap_channel, log_ns, payload, publish_ns, seq)
        self.n_messages += 1

    def commit(self) -> None:
        """Hand to the system what is whole so far."""
        self.file.append(self._buffer.take())

    def flush(self) -> None:
        """End a chunk, and hand everything to the system."""
        self._writer.flush()
        self.commit()

    def finish(self) -> None:
        """Write the index."""
        self._writer.finish()
        self.commit()


class _Buffer:
    """Where the library writes to, until a piece is whole."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._at = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Nothing: the writer commits when it wants to."""

    def take(self) -> bytes:
        """Everything written since the last call."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
