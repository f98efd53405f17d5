"""What every board can say and hear, in safe mode too: HELLO, PING, status, settings, reset."""

import gc
import os
from binascii import hexlify
from struct import pack, unpack_from
from time import ticks_add, ticks_diff, ticks_ms

import frame
import machine
import settings
import status
from clock import Clock
from hello import payloads, string
from link import Link
from micropython import const

VERSION = "0.1"
# Names for which a rate may be kept.
CHANNELS = ("acc", "gyro", "bvp", "eda", "temp")
DONE, UNKNOWN, BAD_VALUE, NOT_NOW = const(0), const(1), const(2), const(3)
INFO, WARNING, ERROR = const(20), const(30), const(40)
WORKS, ABSENT, FAILS = const(0), const(1), const(2)
STATUS, RESET, SETTING = const(6), const(7), const(8)
_HELLO_MS, _STATUS_MS, _GOOD_S = const(5000), const(10000), const(60)


class Talk:
    """The board's side of the line, but for what it measures."""

    def __init__(self, state, wish, firmware):
        gc.collect()
        self.state = state
        kept = settings.load(settings.SETTINGS)
        # A file may have come from anywhere.
        self.kept = {key: kept[key] for key in kept if settings.is_usable(key, kept[key], CHANNELS)}
        self.clock = Clock()
        self.link = Link()
        self.session = unpack_from("<H", os.urandom(2))[0] if hasattr(os, "urandom") else _drawn()
        self.session = self.session or 1
        self.firmware = firmware
        self.board_id = str(self.kept.get("id") or "signet-" + hexlify(machine.unique_id()).decode()[-12:])
        self.n_dropped = 0
        self.n_late = 0
        self._cause = status.cause(wish)
        self._seqs = bytearray(2 * 16)
        self.decoder = frame.FrameDecoder()
        self._lines = []
        self._start_ms = self._hello_ms = self._status_ms = ticks_ms()
        self._uptime_ms = 0
        self.uptime_s = 0
        self._is_new = True

    def log(self, level, text):
        """Tell the host a line, after the next HELLO if there has been none."""
        if len(self._lines) < 16:
            self._lines.append((level, text))

    def say(self, kind, payload, ticks=None):
        """One frame, of now or of ``ticks``; whether the line took it."""
        if ticks is None:
            ticks = self.clock.value()
        seq = self._seqs[2 * kind] | (self._seqs[2 * kind + 1] << 8)
        data = frame.encode(kind, 0, self.session, seq, ticks, 0, payload)
        if not self.link.write(data):
            return False
        seq += 1
        self._seqs[2 * kind], self._seqs[2 * kind + 1] = seq & 0xFF, (seq >> 8) & 0xFF
        return True

    def look(self, now_ms):
        """Say what is due, answer what was asked."""
        self._live(now_ms)
        if ticks_diff(now_ms, self._hello_ms) >= 0:
            self.say_hello(now_ms)
        if ticks_diff(now_ms, self._status_ms) >= 0:
            self._status_ms = ticks_add(now_ms, _STATUS_MS)
            self.say(frame.STATUS, status.payload(self, self.uptime_s, self._cause))
        while self._lines and self.say(frame.LOG, _line(self._lines[0])):
            self._lines.pop(0)
        data = self.link.read()
        if data:
            for each in self.decoder.feed(data):
                self._hear(each)

    def _live(self, now_ms):
        self._uptime_ms += ticks_diff(now_ms, self._start_ms)
        self._start_ms = now_ms
        if self._uptime_ms >= 1000:
            # Past the first minute of an app that works this writes nothing.
            self.uptime_s += self._uptime_ms // 1000
            self._uptime_ms %= 1000
            if self.uptime_s >= _GOOD_S:
                self.state.is_good()

    def say_hello(self, now_ms):
        """All parts of a HELLO, one after the other."""
        self._hello_ms = ticks_add(now_ms, _HELLO_MS)
        if self._is_new:
            # Ends whatever a bootloader or a failing supply put on the line.
            self._is_new = not self.link.write(b"\0")
        for payload in payloads(self.board_id, self.firmware, self.streams(), self.ring_bytes()):
            self.say(frame.HELLO, payload)

    def streams(self):
        """Streams that HELLO announces."""
        return ()

    def ring_bytes(self):
        """Bytes of the ring."""
        return 0

    def parts(self):
        """(name, state, errors) of each part."""
        return ()

    def n_overruns(self):
        """How often a sensor's own memory ran over."""
        return 0

    def _hear(self, each):
        kind, payload = each[0], each[6]
        self.clock.tick()
        if kind == frame.PING and len(payload) >= 4:
            self.say(frame.PONG, payload[:4])
        elif kind == frame.CMD and len(payload) >= 9:
            command, value, token = unpack_from("<BiI", payload)
            self.obey(command, value, token, payload[9:])

    def obey(self, command, value, token, rest):
        """Do as the host says."""
        if command == STATUS:
            self._status_ms = ticks_ms()
            self.answer(command, DONE, token)
        elif command == RESET:
            self._reset(value, token)
        elif command == SETTING:
            self._setting(value, token, rest)
        else:
            self.answer(command, NOT_NOW if 1 <= command <= 5 else UNKNOWN, token)

    def answer(self, command, result, token, more=b""):
        """ACK."""
        self.say(frame.ACK, pack("<BBI", command, result, token) + more)

    def _reset(self, value, token):
        if not 1 <= value <= 3 or (value == 2 and not hasattr(machine, "bootloader")):
            self.answer(RESET, BAD_VALUE, token)
            return
        self.answer(RESET, DONE, token)
        self.link.flush()
        self.state.leave("safe" if value == 3 else "asked")
        if value == 2:
            machine.bootloader()
        machine.reset()

    def _setting(self, value, token, rest):
        key, at = _text(rest, 0)
        text, _ = _text(rest, at)
        if key is None or text is None:
            return
        result = DONE
        if not 0 <= value <= 2 or not settings.is_key(key, CHANNELS):
            result = BAD_VALUE
        elif value == 1:
            result = self._keep(key, text)
        elif value == 2 and key in self.kept:
            kept = dict(self.kept)
            del kept[key]
            result = self._store(kept)
        self.answer(SETTING, result, token, string(key) + string(str(self.kept.get(key, ""))))

    def _keep(self, key, text):
        if not settings.is_usable(key, text, CHANNELS):
            return BAD_VALUE
        kept = dict(self.kept)
        kept[key] = text
        return self._store(kept)

    def _store(self, kept):
        try:
            settings.store(settings.SETTINGS, kept)
        except OSError:
            return NOT_NOW
        self.kept = kept
        return DONE

    def close(self):
        """Give the prompt back."""
        self.link.close()
        self.state.leave("prompt")


def _line(line):
    level, text = line
    text = settings.plain(text)[: frame.MAX_PAYLOAD_BYTES - 1]
    return bytes([level]) + (text or "?").encode()


def _text(data, at):
    """(string, where it ends), or (None, 0) if it is not whole."""
    if at >= len(data) or data[at] > 32 or at + 1 + data[at] > len(data):
        return None, 0
    end = at + 1 + data[at]
    try:
        return data[at + 1 : end].decode(), end
    except ValueError:
        return None, 0


def _drawn():
    from random import getrandbits

    return getrandbits(16)
