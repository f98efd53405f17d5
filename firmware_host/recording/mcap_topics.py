"""What the channels of an MCAP file carry, learned as they are met."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from firmware_host.protocol.messages import Message
from firmware_host.recording import mcap_json, mcap_schemas
from firmware_host.recording.mcap_records import RECORD_HEAD

if TYPE_CHECKING:
    from mcap.records import McapRecord

# MCAP specification, section Records: channel, sequence, log and publish time.
_MESSAGE = 0x05
_MESSAGE_HEAD = struct.Struct("<H4xQ")
_MESSAGE_HEAD_BYTES = 22

Payload = tuple[int, int, bytes]
Decoder = Callable[[bytes], Message]


class Topics:
    """Schemas and channels seen so far in one pass over a file.

    Parameters
    ----------
    known
        Schemas and channels that the file's summary tells of.
    """

    def __init__(self, known: Iterable[McapRecord] = ()) -> None:
        self._schemas: dict[int, str] = {}
        self._channels: dict[int, tuple[int, dict[str, str]]] = {}
        for record in known:
            self.learn(record)

    def schema(self, channel_id: int) -> str:
        """Name of the schema of a channel, empty if it has none."""
        return self._schemas.get(self._channels[channel_id][0], "")

    def decoder(self, channel_id: int) -> Decoder | None:
        """Way back to a message, None for what is not a message of ours."""
        name = self.schema(channel_id)
        if name.startswith(f"{mcap_schemas.SAMPLES}."):
            return mcap_json.sample_decoder(self._channels[channel_id][1])
        return mcap_json.DECODERS.get(name)

    def learn(self, record: McapRecord) -> None:
        """Take note of a schema or a channel; anything else is ignored."""
        from mcap.records import Channel, Schema

        if isinstance(record, Channel):
            self._channels[record.id] = (record.schema_id, record.metadata)
        elif isinstance(record, Schema):
            self._schemas[record.id] = record.name

    def messages_of(self, record: McapRecord, inside: bytes) -> Iterator[Payload]:
        """(channel id, log time in ns, payload) of the messages of one record."""
        from mcap.records import Message

        if isinstance(record, Message):
            if record.channel_id in self._channels:
                yield record.channel_id, record.log_time, record.data
            return
        self.learn(record)
        at = 0
        while at + RECORD_HEAD.size <= len(inside):
            opcode, length = RECORD_HEAD.unpack_from(inside, at)
            at += RECORD_HEAD.size
            if opcode == _MESSAGE:
                # By hand: a hundred records a chunk are too many for the library's reader.
                channel_id, log_ns = _MESSAGE_HEAD.unpack_from(inside, at)
                if channel_id in self._channels:
                    yield channel_id, log_ns, inside[at + _MESSAGE_HEAD_BYTES : at + length]
            else:
                self._learn_packed(opcode, inside[at : at + length])
            at += length

    @staticmethod
    def log_times_ns(inside: bytes) -> Iterator[int]:
        """Log times of all messages of an unpacked chunk, known or not."""
        at = 0
        while at + RECORD_HEAD.size + _MESSAGE_HEAD_BYTES <= len(inside):
            opcode, length = RECORD_HEAD.unpack_from(inside, at)
            at += RECORD_HEAD.size
            if opcode == _MESSAGE:
                yield _MESSAGE_HEAD.unpack_from(inside, at)[1]
            at += length

    def _learn_packed(self, opcode: int, body: bytes) -> None:
        from mcap.data_stream import ReadDataStream
        from mcap.opcode import Opcode
        from mcap.records import Channel, Schema

        if opcode == Opcode.CHANNEL:
            self.learn(Channel.read(ReadDataStream(io.BytesIO(body))))
        elif opcode == Opcode.SCHEMA:
            self.learn(Schema.read(ReadDataStream(io.BytesIO(body))))
