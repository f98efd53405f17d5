"""The app: samples on time, everything else in between."""

import gc
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms, ticks_us

import dog
import events
import light
import orders
import start
from channel import SETTLE_MS
from config import board_config
from contact import Contact
from found import Finder
from micropython import const
from settings import why
from talk import ABSENT, FAILS, VERSION, WARNING, WORKS, Talk

# Below this there is no time for anything but the next sample.
_SPARE_US = const(2000)
_REST_MS = const(5)
# How often garbage is collected where that fits between two samples: before the heap is full of it.
_TIDY_MS = const(1000)
_MAX_WAIT_US = const(100000)
_TALK_MS = const(10)


class Board(Talk):
    """The whole board."""

    def __init__(self, state, wish):
        super().__init__(state, wish, "signet " + VERSION)
        config = board_config()
        finder = Finder(config, self.log)
        self.sources = finder.sources()
        # Streams by every number they have had since boot.
        self.numbers = {}
        self.is_streaming = True
        self._refused_ms = None
        self._events = events.Events(self)
        self.button = finder.button()
        self.haptic = finder.haptic()
        self.battery = finder.battery()
        self._light = finder.light()
        self._absent = finder.absent
        self._contact, self._contact_source = self._optics()
        self.ring = start.ring_of(config, self.kept, self.log)
        self._is_watched = config.get("watchdog", True) and self._wake()
        self._begin(config)
        begun_us = ticks_us()
        gc.collect()
        # How long that takes: of a small heap some milliseconds, of a large one a tenth of a second.
        self._tidy_us = ticks_diff(ticks_us(), begun_us) + _SPARE_US
        self._talk_ms = self._tidied_ms = ticks_ms()

    def _begin(self, config):
        begin_us = ticks_add(ticks_us(), SETTLE_MS * 1000)
        self._due = begin_us
        for source in self.sources:
            for stream in source.streams:
                rate_mhz = start.rate_mhz(source, stream.name, config, self.kept, self.log)
                number = len(self.numbers)
                stream.begin(number, self.session, rate_mhz, begin_us)
                self.numbers[number] = stream
            source.set_fastest()

    def _optics(self):
        for source in self.sources:
            if hasattr(source.sensor, "level"):
                on_skin = int(float(self.kept.get("wear", source.sensor.ON_SKIN)))
                return (Contact(source.sensor, on_skin, ticks_ms()), source) if on_skin else (None, None)
        return None, None

    def _wake(self):
        try:
            # Begun already where boot.py is ours.
            dog.wake()
            dog.take()
        except Exception as err:
            self.log(WARNING, "watchdog: " + why(err))
            return False
        return True

    # What is said of it.

    def streams(self):
        return [stream for source in self.sources for stream in source.streams]

    def ring_bytes(self):
        return self.ring.n_bytes

    def parts(self):
        told = [(each.name, FAILS if each.is_failing else WORKS, each.n_errors) for each in self.sources]
        told += [(name, ABSENT, 0) for name in self._absent]
        if self.battery:
            told.append(("battery", FAILS if self.battery.is_failing else WORKS, self.battery.n_errors))
        for name, part in (("button", self.button), ("haptic", self.haptic), ("led", self._light)):
            if part:
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
        elif wait_us > self._tidy_us and ticks_diff(now_ms, self._tidied_ms) >= _TIDY_MS:
            # Here it costs no sample; left to itself it comes at any moment.
            self._tidied_ms = now_ms
            gc.collect()
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
        is_new = self.is_streaming and source.sample()
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
        if self.is_streaming:
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
        if self._is_watched:
            dog.feed()
        if self._light:
            self._light.look(now_ms, light.STREAMS if self.is_streaming else light.OFF)
        if self.haptic:
            self.haptic.look(now_ms)
        pressed = self.button.look(now_ms) if self.button else None
        if pressed:
            self._tell(events.BUTTON, pressed[0], pressed[1])
        percent = self.battery.look(now_ms) if self.battery else None
        if percent is not None:
            self._tell(events.BATTERY, percent, 0)
        if self._contact:
            self._look_at_contact(now_ms)
        if self._is_free(now_ms):
            self._tell_again()

    def _look_at_contact(self, now_ms):
        if not self.is_streaming or self._contact_source.is_failing:
            self._contact.pause(now_ms)
            return
        changed = self._contact.look(now_ms)
        if changed:
            self._tell(events.WEAR, changed[0], changed[1])

    def _is_free(self, now_ms):
        """Whether the line has taken all that is live lately."""
        if self._refused_ms is None or ticks_diff(now_ms, self._refused_ms) > 1000:
            self._refused_ms = None
            return True
        return False

    def _tell_again(self):
        is_taken = self._events.tell_again()
        if is_taken and self.is_streaming and self.ring.is_due(ticks_us()):
            data = self.ring.next(ticks_us())
            if data:
                is_taken = self.link.write(data)
        if not is_taken:
            self._refused_ms = ticks_ms()

    def tell_state(self):
        """What is so now, for a host that was not there when it was told."""
        if self._contact and self._contact.is_known:
            self._tell(events.WEAR, int(self._contact.is_on), 0)
        if self.battery and self.battery.told is not None:
            self._tell(events.BATTERY, self.battery.told, 0)

    def _tell(self, kind, value, ago_ms):
        if not self._events.tell(kind, value, ago_ms):
            self._refused_ms = ticks_ms()

    # What it is told.

    def obey(self, command, value, token, rest):
        if not orders.obey(self, command, value, token, rest):
            super().obey(command, value, token, rest)

    def start(self):
        """Stream, if it does not yet."""
        if not self.is_streaming and self._contact:
            self._contact.forget()
        self.is_streaming = True

    def stop(self):
        """Stream no more; what is taken meanwhile is a gap."""
        if self.is_streaming:
            for stream in self.streams():
                stream.skip(0)
        self.is_streaming = False
        self.ring.forget_asked()

    def renumber(self, stream, rate_mhz):
        """Let a stream go on at another rate under a number of its own."""
        if stream.block.n:
            self._send(stream)
        number = len(self.numbers)
        stream.begin(number, self.session, rate_mhz, stream.pace.due)
        self.numbers[number] = stream
        stream.source.set_fastest()
        self._due = self.clock.now

    def close(self):
        if self._is_watched:
            dog.leave()
        if self._light:
            self._light.look(ticks_ms(), light.OFF)
        if self.haptic:
            self.haptic.stop()
        super().close()
