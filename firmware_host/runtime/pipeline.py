"""Bytes in, events out: everything between the wire and what the host says, without any I/O."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from firmware_host.errors import ContractError, ProtocolMismatch, shown
from firmware_host.events import AnyEvent, Labelled, State, StreamNoted
from firmware_host.identity.self_update import Walk
from firmware_host.inference.contract import STRESS_PLACEMENT, Bundle
from firmware_host.protocol import frame
from firmware_host.protocol.messages import Block, Command, Hello, Log, Message, Ping, Status
from firmware_host.protocol.parser import MessageParser
from firmware_host.runtime.baseline import Source, TimedWindow, WearerBaseline
from firmware_host.runtime.battery import Battery
from firmware_host.runtime.counts import Counts
from firmware_host.runtime.gait_path import WalkingReference
from firmware_host.runtime.labels import LabelsOnce, PendingLabels
from firmware_host.runtime.model_paths import ModelPaths, Models
from firmware_host.runtime.warned import Warned
from firmware_host.signals.gait import GaitWindow
from firmware_host.signals.normalise import Baseline
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.buttons import REST, ButtonLabels
from firmware_host.stream.samples import Note, Samples

_LOGGER = logging.getLogger(__name__)

# A line that stalled gives a minute at once: read in pieces it takes no more memory than a second.
_PIECE_BYTES = 4096
_NEW_SESSION = (Note.SESSION, Note.REBOOT, Note.SWAP, Note.LAYOUT)
ADAPTER_NOTE = "adapter"
BASELINE_NOTE = "baseline"
MODEL_OFF_NOTE = "model_off"


def _ignore(_: object) -> None:
    """Take no notice."""


@dataclass(slots=True)
class Listeners:
    """Who is told of what passes through, besides the events.

    ``message`` gets the message, its arrival and, for samples, when the board took the first of them (UTC).
    ``walk`` gets walks that the gait reference may learn from; None looks for none.
    """

    message: Callable[[Message, float, float | None], None] | None = None
    window: Callable[[TimedWindow], None] = _ignore
    gait_window: Callable[[GaitWindow, float], None] = lambda *_: None
    walk: Callable[[Walk], None] | None = None


class Pipeline:
    """One board's bytes, whatever brings them, to events about one wearer.

    Deterministic: the same bytes with the same arrival times give the same events.

    Parameters
    ----------
    placement
        Where the board is worn; away from the wrist there is no stress model.
    labels
        Labels of a file beside a recording; each becomes known when the stream has passed its end.
    pressed
        Labels of a recording that its buttons give again.
    is_live
        The bytes are a live board's, whom we ask ourselves: clock questions and commands among them are
        none of ours and are left out. Among those of a recording they are ours of then.

    Raises
    ------
    ContractError
        From `feed`, if the board cannot feed either of the models.
    ProtocolMismatch
        From `feed`, if the board speaks another version of the wire protocol.
    """

    def __init__(
        self,
        bundle: Bundle,
        models: Models,
        *,
        baseline: WearerBaseline,
        walking: WalkingReference | None = None,
        placement: str = STRESS_PLACEMENT,
        labels: Iterable[tuple[float, float, str]] = (),
        pressed: Iterable[tuple[float, float, str]] = (),
        listeners: Listeners | None = None,
        is_live: bool = False,
    ) -> None:
        self._bundle = bundle
        self._baseline = baseline
        self._told_baseline = (baseline.source, baseline.n_learned)
        self._buttons = ButtonLabels()
        self._pending = PendingLabels(labels, pressed)
        self._labels = LabelsOnce()
        self._listeners = listeners or Listeners()
        self._warned = Warned()
        self.paths = ModelPaths(
            bundle,
            models,
            baseline=baseline,
            walking=walking,
            placement=placement,
            remember=self._listeners.window,
            watched=self._listeners.gait_window,
            walked=self._listeners.walk,
        )
        self._is_worn: bool | None = None
        self._pulse_stream: int | None = None
        self._pulse_hash = hashlib.sha256()
        self.battery = Battery()
        self.board_status: Status | None = None
        """How the board itself does, as it last told."""
        self.parser = MessageParser(board_only=is_live)
        self.assembler = StreamAssembler()
        self.counts = Counts()
        self.quality: Mapping[str, float] = {}
        """How far each channel of the latest minute is to be trusted, 0 to 1."""

    @property
    def hello(self) -> Hello | None:
        """What the board said it is, once it did."""
        return self.assembler.hello

    def feed(self, data: bytes, arrival_utc: float) -> list[AnyEvent]:
        """Events that these bytes bring, in order."""
        self.counts.n_bytes += len(data)
        events: list[AnyEvent] = []
        for message in self._messages(data):
            if isinstance(message, Hello):
                # What waits has its times by the clock of the session that ends.
                self._take_items(self.assembler.end_before(message), events)
                self._end_session_before(message, arrival_utc, events)
            items = self.assembler.feed(message, arrival_utc)
            if self._listeners.message is not None:
                sent_utc = _sent_utc(message, self.assembler, arrival_utc)
                self._listeners.message(message, arrival_utc, sent_utc)
            if isinstance(message, Block):
                if message.stream == self._pulse_stream:
                    self._pulse_hash.update(message.data)
            elif isinstance(message, Status | Log):
                self._take_account(message)
            self._take_items(items, events)
        self._take_labels(self._pending.due(self.assembler.t_s, self._now_utc()), events)
        self.counts.events.update(event.kind for event in events)
        return events

    def _messages(self, data: bytes) -> Iterator[Message]:
        for start in range(0, len(data), _PIECE_BYTES):
            yield from self.parser.feed(data[start : start + _PIECE_BYTES])

    def _take_account(self, message: Status | Log) -> None:
        """What a board says of itself; of a session that was not announced it may be any board's."""
        if not self.assembler.is_announced(message.session):
            return
        if isinstance(message, Status):
            self.board_status = message
        else:
            _LOGGER.log(message.level, "the board says: %s", shown(message.text))

    def _end_session_before(self, hello: Hello, arrival_utc: float, events: list[AnyEvent]) -> None:
        """Say labels that ended with a session, such as a round of a recording, as long as it is that one's turn."""
        if self.hello is not None and hello.session != self.hello.session:
            self._take_labels(self._pending.due(self.assembler.t_s, arrival_utc), events)

    def finish(self) -> list[AnyEvent]:
        """Events that only the end of the stream brings: labels whose end was the stream's own."""
        events: list[AnyEvent] = []
        self._take_items(self.assembler.end(), events)
        if self.assembler.clock is not None:
            self._take_labels(self._pending.rest(self.assembler.t_s, self._now_utc()), events)
        self.counts.events.update(event.kind for event in events)
        return events

    @property
    def was_trained_on(self) -> bool:
        """Whether this very stream, whole, is among the recordings that the bundle was trained on.

        Figures of such a stream are not those of a stranger.
        """
        return self._pulse_hash.hexdigest() in self._bundle.recordings.values()

    def add_label(
        self, label: str, start_utc: float, end_utc: float, *, source: str
    ) -> list[AnyEvent]:
        """Events of a label that came from outside the stream."""
        t_s, utc = self.assembler.t_s, self._now_utc()
        events: list[AnyEvent] = []
        self._take_labels([Labelled(t_s, utc, label, start_utc, end_utc, source)], events)
        self.counts.events.update(event.kind for event in events)
        return events

    def use_adapter(self, version: int) -> StreamNoted:
        """The personal model holds another adapter now; later windows carry its version."""
        self.paths.use_adapter(version)
        return self._note(ADAPTER_NOTE, version=version)

    def asked(self, ping: Ping, sent_utc: float) -> None:
        """A clock question was sent to the board; its answer will serve the clock."""
        self.assembler.feed(ping, sent_utc)
        if self._listeners.message is not None:
            self._listeners.message(ping, sent_utc, None)

    def ordered(self, command: Command, sent_utc: float) -> None:
        """The board was told to do something."""
        if self._listeners.message is not None:
            self._listeners.message(command, sent_utc, None)

    def use_baseline(self, baseline: Baseline, source: Source, *, taken_utc: float) -> None:
        """From now on, tell stress from this rest."""
        self._baseline.replace(baseline, source, taken_utc=taken_utc)

    def forget_rest(self) -> None:
        """The rest in force is not the wearer's: learn one when the band is worn again."""
        self._baseline.forget()

    def _now_utc(self) -> float:
        return self.assembler.utc(self.assembler.t_s)

    def _note(self, what: str, **detail: float | str) -> StreamNoted:
        return StreamNoted(self.assembler.t_s, self._now_utc(), what, "", dict(detail))

    def _take_items(self, items: list[Samples | StreamNoted], events: list[AnyEvent]) -> None:
        for item in items:
            if isinstance(item, Samples):
                self._take_samples(item, events)
            else:
                self._take_note(item, events)

    def _take_samples(self, samples: Samples, events: list[AnyEvent]) -> None:
        self.counts.samples[samples.channel.name] += len(samples.values)
        stress, gait = self.paths.stress, self.paths.gait
        if stress is not None:
            scored = stress.take(samples, self.assembler.utc)
            events += scored
            self._tell_baseline(events)
            for event in scored:
                self.quality = event.channel_quality
                self.paths.contact(is_on=event.state is not State.NOT_WORN)
        if gait is not None:
            events += gait.take(samples, self.assembler.utc)

    def _take_note(self, note: StreamNoted, events: list[AnyEvent]) -> None:
        self.counts.take_note(note)
        if note.what == Note.MISMATCH:
            raise ProtocolMismatch(ours=frame.VERSION, theirs=int(note.detail["theirs"]))
        events.append(note)
        if note.what in _NEW_SESSION:
            self._buttons.forget()
            self._begin_session(events)
            self._worn_as_before(note)
        elif note.what == Note.BUTTON:
            self._take_press(note, events)
        elif note.what == Note.WEAR:
            self._is_worn = bool(note.detail["value"])
            self.paths.worn(is_on=self._is_worn, t_s=note.t_s)
        elif note.what == Note.BATTERY and self.battery.take(int(note.detail["value"])):
            _LOGGER.warning("the board's battery is at %d %%", self.battery.percent)
        elif note.what == Note.STOPPED:
            _LOGGER.log(
                self._warned.level(note.what, note.channel),
                "channel %s: nothing for %.0f s while others go on",
                note.channel,
                note.detail["silent_s"],
            )
        elif note.what == Note.RATE and note.detail["is_off"]:
            _LOGGER.log(
                self._warned.level(note.what, note.channel),
                "channel %s: declared %.4g Hz, measured %.4g Hz; the data is marked",
                note.channel,
                note.detail["declared_hz"],
                note.detail["measured_hz"],
            )

    def _worn_as_before(self, note: StreamNoted) -> None:
        """Within a boot a board says but once whether it is worn, and a new rate does not change that."""
        if note.what != Note.LAYOUT:
            self._is_worn = None
        elif self._is_worn is not None:
            self.paths.worn(is_on=self._is_worn, t_s=note.t_s)

    def _take_press(self, note: StreamNoted, events: list[AnyEvent]) -> None:
        assert self.hello is not None
        value, session = int(note.detail["value"]), self.hello.session
        label = self._buttons.press(value, note.t_s, note.utc, session=session)
        if label is not None:
            self._pending.pressed(label)
            self._take_labels([label], events)

    def _take_labels(self, labels: Iterable[Labelled], events: list[AnyEvent]) -> None:
        for label in self._labels.new(labels):
            events.append(label)
            if label.label == REST:
                self._baseline.rest_labelled(label)
        self._tell_baseline(events)

    def _tell_baseline(self, events: list[AnyEvent]) -> None:
        source = self._baseline.source
        known = (source, self._baseline.n_learned)
        if source is not None and known != self._told_baseline:
            self._told_baseline = known
            events.append(self._note(BASELINE_NOTE, source=source.value))

    def _begin_session(self, events: list[AnyEvent]) -> None:
        hello = self.assembler.hello
        assert hello is not None
        self.counts.keep(self.assembler.tracks.channels)
        pulse = hello.channel("bvp")
        self._pulse_stream = None if pulse is None else pulse.stream
        self._pulse_hash = hashlib.sha256()
        problems = self.paths.begin_session(hello)
        for model, found in problems.items():
            if found:
                events.append(self._note(MODEL_OFF_NOTE, model=model, why="; ".join(found)))
                _LOGGER.warning("the %s model is off: %s", model, "; ".join(found))
        if all(problems.values()):
            why = "; ".join(f"{model}: {', '.join(found)}" for model, found in problems.items())
            msg = f"no model can run on this board ({why})"
            raise ContractError(msg)


def _sent_utc(message: Message, assembler: StreamAssembler, arrival_utc: float) -> float | None:
    return assembler.sent_utc(message, arrival_utc) if isinstance(message, Block) else None
