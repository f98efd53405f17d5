"""One channel's samples on their way into a frame; nothing is allocated from the first sample on."""

from binascii import crc32
from struct import pack_into

from micropython import const

import frame

# Where the body begins, behind COBS' first byte; its header's ticks; its samples, behind header and index.
_BODY = const(1)
_TICKS = const(7)
_DATA = const(17)
# Half a second of a fast channel, a second of a slow one, as SPEC's hosts expect them to come.
_FAST_BLOCK_MS, _SLOW_BLOCK_MS, _SLOW_MHZ = 500, 1000, 10000


def block_samples(rate_mhz, sample_bytes):
    """Samples in one BLOCK at that rate."""
    ms = _SLOW_BLOCK_MS if rate_mhz < _SLOW_MHZ else _FAST_BLOCK_MS
    most = (frame.MAX_PAYLOAD_BYTES - 4) // sample_bytes
    return max(1, min(rate_mhz * ms // 1000000, most))


class Block:
    """A frame that fills up, sample by sample."""

    def __init__(self, stream, session, rate_mhz, sample_bytes):
        self.stream = stream
        self.seq = 0
        self.dropped = 0
        self.sample_idx = 0
        self.n = 0
        self.n_full = block_samples(rate_mhz, sample_bytes)
        self._sample_bytes = sample_bytes
        self._session = session
        n_bytes = _DATA + self.n_full * sample_bytes + frame.CRC_BYTES + 1
        self.buffer = bytearray(n_bytes)
        view = memoryview(self.buffer)
        # The checked part and the whole frame of each number of samples.
        sizes = [_DATA + n * sample_bytes for n in range(self.n_full + 1)]
        self._checked = [view[_BODY:size] for size in sizes]
        self._whole = [view[: size + frame.CRC_BYTES + 1] for size in sizes]

    def begin(self, clock, due):
        """Note when the first sample is taken."""
        clock.put_into(self.buffer, _TICKS, due)

    def add(self, data, at):
        """Append one sample, ``data[at:]``; allocates nothing. Whether the block is full now."""
        buffer = self.buffer
        n = self._sample_bytes
        to = _DATA + self.n * n
        i = 0
        while i < n:
            buffer[to + i] = data[at + i]
            i += 1
        self.n += 1
        return self.n == self.n_full

    def seal(self):
        """The frame of the samples so far, closing zero included; a view that the next `begin` overwrites."""
        n = self.n
        buffer = self.buffer
        buffer[_BODY] = frame.BLOCK
        buffer[_BODY + 1] = self.stream
        pack_into("<HH", buffer, _BODY + 2, self._session, self.seq & 0xFFFF)
        pack_into("<HI", buffer, _BODY + 10, self.dropped & 0xFFFF, self.sample_idx & 0xFFFFFFFF)
        checked = self._checked[n]
        pack_into("<I", buffer, _BODY + len(checked), crc32(checked) & 0xFFFFFFFF)
        whole = self._whole[n]
        frame.stuff(whole)
        return whole

    def sent(self, taken):
        """Go on to the next block; one that the line did not take is dropped and counted."""
        if taken:
            self.seq += 1
        else:
            self.dropped += 1
        self.sample_idx += self.n
        self.n = 0

    def skip(self, n_samples):
        """Samples that were never taken: the index tells the host how many."""
        self.sample_idx += n_samples
