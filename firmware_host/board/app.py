"""The app: samples on time, everything else in between."""

import gc
import json
from struct import pack, unpack_from
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms, ticks_us

import frame
from found import adc_of, find
from micropython import const
from parts import Battery, Button, Haptic, Watchdog
from ring import Ring
from talk import ABSENT, BAD_VALUE, DONE, FAILS, NOT_NOW, UNKNOWN, VERSION, WARNING, WORKS, Talk

START, STOP, CUE, RATE, BACKFILL = const(1), const(2), const(3), const(4), const(5)
_BUTTON, _BATTERY = const(1), const(3)
_MAX_STREAMS = const(32)
_MIN_MHZ, _MAX_MHZ = const(100), const(200000)
# By then the sensors that were just begun have a first result.
_BEGIN_US = const(150000)
# Below this there is no time for anything but the next sample.
_SPARE_US = const(2000)
_REST_MS = const(5)
_MAX_WAIT_US = const(100000)
_TALK_MS = const(10)
RATES_HZ = {"acc": 100, "gyro": 100, "bvp": 64, "eda": 4, "temp": 4}


def board_config():
    """What board.json says; nothing at all on a board that has none."""
    try:
        with open("board.json") as file:
            return json.load(file)
    except OSError:
        return {}


class Board(Talk):
    """The whole board."""

    def __init__(self, state, wish):
        super().__init__(state, wish, "signet " + VERSION)
        config = board_config()
        self.sources, self._absent = find(config, self.log)
        self._sent_again = 0
        self._numbers = {}
        self._streaming = True
        self._refused_ms = None
        self._talk_ms = ticks_ms()
        start = ticks_add(ticks_us(), _BEGIN_US)
        self._due = start
        rates = dict(RATES_HZ)
        rates.update(config.get("rates", {}))
        for source in self.sources:
            for stream in source.streams:
                rate_mhz = self._first_rate(source, stream.name, rates)
                number = len(self._numbers)
                stream.begin(number, self.session, rate_mhz, start)
                self._numbers[number] = stream
            source.set_fastest()
        self.ring = Ring(self._ring_kib(config) * 1024)
        self._fit(config)
        gc.collect()

    def _first_rate(self, source, name, rates):
        wanted = self.kept.get("rate." + name)
        if wanted:
            rate_mhz = round(float(wanted) * 1000)
            if source.can_do(rate_mhz):
                return rate_mhz
            self.log(WARNING, "%s cannot be read at %s Hz, as is kept" % (name, wanted))
        return round(rates.get(name, 1) * 1000)

    def _ring_kib(self, config):
        return int(float(self.kept.get("ring", config.get("ring", 0))))

    def _fit(self, config):
        self.button = Button(config["button"]["pin"]) if "button" in config else None
        self.haptic = Haptic(config["haptic"]["pin"]) if "haptic" in config else None
        self.battery = None
        if "battery" in config:
            has = config["battery"]
            self.battery = Battery(adc_of(has), has["ratio"], has["empty_v"], has["full_v"], has["reference_v"])
        self.watchdog = Watchdog() if config.get("watchdog", True) else None

    # What is said of it.

    def streams(self):
        return [stream for source in self.sources for stream in source.streams]

    def ring_bytes(self):
        return self.ring.n_bytes

    def parts(self):
        told = [(each.name, FAILS if each.is_failing else WORKS, each.n_errors) for each in self.sources]
        told += [(name, ABSENT, 0) for name in self._absent]
        for name in ("button", "haptic", "battery"):
            if getattr(self, name):
                told.append((name, WORKS, 0))
        return told

    def n_overruns(self):
        return sum([getattr(source.sensor, "n_overrun", 0) for source in self.sources])

    # Its day.

    def run(self):
        """Stream for ever."""
        while True:
            self.step()

    def step(self):
        """Take what is due; with time to spare, talk, look around and rest."""
        now = self.clock.tick()
        wait_us = ticks_diff(self._due, now)
        if wait_us <= 0:
            self.sample(now)
            wait_us = ticks_diff(self._due, ticks_us())
        now_ms = ticks_ms()
        since_ms = ticks_diff(now_ms, self._talk_ms)
        # A board that is always late must answer all the same.
        if since_ms >= _TALK_MS and (wait_us > _SPARE_US or since_ms >= 4 * _TALK_MS):
            self._talk_ms = now_ms
            self.clock.tick()
            self._look_around(now_ms)
        elif wait_us >= 1000:
            sleep_ms(min(wait_us // 1000, _REST_MS))

    def sample(self, now):
        """Everything that is due; allocates nothing until a block is full."""
        for source in self.sources:
            if source.is_due(now):
                self.take(source, now)
        self._due = self._next_due(now)

    def _next_due(self, now):
        wait = _MAX_WAIT_US
        for source in self.sources:
            for stream in source.streams:
                due = ticks_diff(stream.pace.due, now)
                if due < wait:
                    wait = due
        return ticks_add(now, wait)

    def take(self, source, now):
        """One sample of each stream of the source that is due; allocates nothing until a block is full."""
        is_new = self._streaming and source.sample()
        for stream in source.streams:
            if ticks_diff(now, stream.pace.due) < 0:
                continue
            n_late = stream.pace.late_periods(now)
            if n_late > 0 or not is_new:
                self._miss(stream, n_late, is_new)
            if is_new and stream.take(self.clock):
                self._send(stream)

    def _miss(self, stream, n_late, is_new):
        """Samples that come too late, or not at all, are a gap."""
        if self._streaming:
            if stream.block.n:
                self._send(stream)
            self.n_late += n_late
        stream.skip(n_late if is_new else n_late + 1)

    def _send(self, stream):
        block = stream.block
        data = block.seal()
        self.ring.put(block.stream, block.sample_idx, block.n, data)
        is_taken = self.link.write(data)
        if not is_taken:
            self.n_dropped += 1
            self._refused_ms = ticks_ms()
        block.sent(is_taken)

    def _look_around(self, now_ms):
        self.look(now_ms)
        if self.watchdog:
            self.watchdog.feed()
        if self.haptic:
            self.haptic.look(now_ms)
        if self.button:
            pressed = self.button.look(now_ms)
            if pressed:
                self._event(_BUTTON, pressed[0], pressed[1])
        percent = self.battery.look(now_ms) if self.battery else None
        if percent is not None:
            self._event(_BATTERY, percent, 0)
        if self._streaming and self._is_free(now_ms) and self.ring.is_due(ticks_us()):
            data = self.ring.next(ticks_us())
            if data:
                self.link.write(data)

    def _is_free(self, now_ms):
        """Whether the line has taken all that is live lately."""
        if self._refused_ms is None or ticks_diff(now_ms, self._refused_ms) > 1000:
            self._refused_ms = None
            return True
        return False

    def _event(self, kind, value, ago_ms):
        """EVENT, with the time at which it began."""
        ticks = (self.clock.value() - ago_ms * 1000) & 0xFFFFFFFF
        self.say(frame.EVENT, pack("<Bi", kind, value), ticks)

    # What it is told.

    def obey(self, command, value, token, rest):
        if command == START:
            self._streaming = True
            self.answer(command, DONE, token)
            self.say_hello(ticks_ms())
        elif command == STOP:
            self._stop()
            self.answer(command, DONE, token)
        elif command == CUE:
            self.answer(command, self._cue(value), token)
        elif command == RATE and rest:
            result = self._change_rate(self._numbers.get(rest[0]), value)
            self.answer(command, result, token)
            if result == DONE:
                self.say_hello(ticks_ms())
        elif command == BACKFILL and len(rest) >= 5:
            self._backfill(value, token, rest)
        elif command not in (RATE, BACKFILL):
            super().obey(command, value, token, rest)

    def _stop(self):
        if self._streaming:
            for stream in self.streams():
                stream.skip(0)
        self._streaming = False
        self.ring.forget_asked()

    def _cue(self, pattern):
        if not self.haptic:
            return NOT_NOW
        now_ms = ticks_ms()
        if not self.haptic.play(pattern, now_ms):
            return BAD_VALUE
        if self.button:
            self.button.cued(now_ms)
        return DONE

    def _change_rate(self, stream, rate_mhz):
        if stream is None or not _MIN_MHZ <= rate_mhz <= _MAX_MHZ or not stream.source.can_do(rate_mhz):
            return BAD_VALUE
        if stream.rate_mhz == rate_mhz:
            return DONE
        number = len(self._numbers)
        if number >= _MAX_STREAMS:
            return NOT_NOW
        if stream.block.n:
            self._send(stream)
        stream.begin(number, self.session, rate_mhz, stream.pace.due)
        self._numbers[number] = stream
        stream.source.set_fastest()
        self._due = self.clock.now
        return DONE

    def _backfill(self, value, token, rest):
        stream, sample_idx = unpack_from("<BI", rest)
        if not self.ring.n_bytes:
            self.answer(BACKFILL, UNKNOWN, token)
            return
        result, gone, n = DONE, 0, 0
        if value < 1:
            result = BAD_VALUE
        else:
            found = self.ring.ask(stream, sample_idx, value, ticks_us())
            if found is None:
                result = NOT_NOW
            else:
                gone, n = found
        self.answer(BACKFILL, result, token, pack("<BIIH", stream, sample_idx, gone, min(n, 0xFFFF)))

    def close(self):
        if self.watchdog:
            self.watchdog.hand_over()
        super().close()
