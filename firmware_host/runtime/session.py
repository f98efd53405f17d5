"""One run: what is heard, what the pipeline says to it, what is kept, and learning in between."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_host.errors import LinkEnded, LinkError, SignetError
from firmware_host.events import AnyEvent, Labelled, StreamNoted, StressScored, WearerVerified
from firmware_host.host.service import ServiceManager
from firmware_host.protocol.messages import Command, Ping
from firmware_host.runtime.cues import CueRule, Cues
from firmware_host.runtime.drifting import misfits
from firmware_host.runtime.gait_following import GaitFollower
from firmware_host.runtime.in_force import InForce
from firmware_host.runtime.learning import Learning, Looked
from firmware_host.runtime.link import Link
from firmware_host.runtime.listening import Detail, Listening
from firmware_host.runtime.live import LiveHealth
from firmware_host.runtime.loss import LossMeter
from firmware_host.runtime.memory import CUE_NOTE, Memory, put_summary
from firmware_host.runtime.model_paths import Models
from firmware_host.runtime.pipeline import BASELINE_NOTE, Pipeline
from firmware_host.runtime.room import Room
from firmware_host.runtime.silence import LINK_NOTE, SILENCE_NOTE, SilenceLimits
from firmware_host.runtime.summary import summarise
from firmware_host.runtime.wear import Wearing
from firmware_host.stream.assembler import StreamAssembler
from firmware_host.stream.samples import Note

_LOGGER = logging.getLogger(__name__)

LEARNED_NOTE = "learned"
GAIT_UPDATED_NOTE = "gait_updated"
DRIFT_NOTE = "drift"
REST_SET_ASIDE_NOTE = "rest_set_aside"
_WEAR_ENDS = (Note.WEAR, Note.REBOOT, Note.SWAP)


@dataclass(slots=True)
class Session:
    """Listens until the source ends or somebody stops it; the sink of its own `Listening`.

    Parameters
    ----------
    memory
        Where things are kept; None keeps nothing.
    learning
        Starts and pauses learning jobs as labels come in and the host allows; None never learns.
    emit
        Is given every event, in order.
    follower
        Lets the gait reference follow the wearer; None leaves it as it was enrolled.
    cues
        When to tap the wearer on the wrist; None never does.
    rates
        Sample rates to ask of the board, Hz by channel name.
    stop
        Asked between reads whether to end.
    service
        Is told in each turn of the loop that it is alive.
    monotonic
        Real seconds.
    """

    link: Link
    pipeline: Pipeline
    models: Models
    bundle_sha256: str
    emit: Callable[[AnyEvent], None]
    memory: Memory | None = None
    learning: Learning | None = None
    silence: SilenceLimits = field(default_factory=SilenceLimits)
    rates: Mapping[str, float] = field(default_factory=dict)
    cues: CueRule | None = None
    follower: GaitFollower | None = None
    stop: Callable[[], bool] = lambda: False
    service: ServiceManager = field(default_factory=lambda: ServiceManager({}))
    monotonic: Callable[[], float] = time.monotonic
    states: Counter[str] = field(default_factory=Counter)
    _loss: LossMeter = field(default_factory=LossMeter)
    _listening: Listening = field(init=False)
    _room: Room = field(init=False)
    _cues: Cues = field(init=False)
    _in_force: InForce | None = None
    _health: LiveHealth | None = None
    _is_baseline_new: bool = False
    _is_taken_off: bool = False
    _wearing: Wearing = field(init=False)

    def run(self) -> dict[str, Any]:
        """Stream until the end; returns a summary of counts.

        Raises
        ------
        SignetError
            Whatever ended it but the end of a finite source; what was seen until then is kept.
        """
        started_s = self.monotonic()
        self._begin()
        try:
            self._loop()
            self.service.stopping()
            self._handle(self.pipeline.finish())
            self._follow_gait()
            self._end_wear()
            self._watch_drift()
            self._end_learning()
        except SignetError as err:
            if isinstance(err, LinkError):
                # What waits for a gap to be filled waits in vain.
                self._handle(self.pipeline.finish())
            self._end_health(str(err))
            raise
        finally:
            if self.learning is not None:
                self.learning.process.stop()
            self.link.close()
            if self.memory is not None:
                self.memory.flush()
        return self._finish(self.monotonic() - started_s)

    @property
    def assembler(self) -> StreamAssembler:
        """What the pipeline puts the stream together with."""
        return self.pipeline.assembler

    def feed(self, data: bytes, arrival_utc: float) -> None:
        """Take bytes of the board."""
        self._handle(self.pipeline.feed(data, arrival_utc))

    def note(self, what: str, detail: Detail, utc: float) -> None:
        """Take a silence or its end, or what was done to a recording: skipped, begun anew."""
        self._handle([self._note(what, detail, utc)])
        if what in (SILENCE_NOTE, LINK_NOTE):
            self._write_all()

    def asked(self, ping: Ping, sent_utc: float) -> None:
        """A clock question is about to be sent."""
        self.pipeline.asked(ping, sent_utc)

    def ordered(self, command: Command, sent_utc: float) -> None:
        """The board is about to be told to do something."""
        self.pipeline.ordered(command, sent_utc)

    def _begin(self) -> None:
        self._listening = Listening(self.link, self, self.silence, self.rates, self.monotonic)
        self._room = Room(self.memory)
        self._cues = Cues(self.cues, self.memory)
        self._wearing = Wearing(None if self.memory is None else self.memory.vault)
        if self.memory is not None:
            vault, pipeline = self.memory.vault, self.pipeline
            self._health = LiveHealth(vault, self._listening, pipeline, self.monotonic)
            self._in_force = InForce(vault, pipeline, self.models, bundle_sha256=self.bundle_sha256)
        self._reload()
        if self.learning is not None:
            self.learning.begin()

    def _reload(self) -> None:
        """Take over what the vault holds in force."""
        if self._in_force is not None and (notes := self._in_force.reload()):
            self._handle([*notes])

    def _loop(self) -> None:
        while not self.stop():
            self.service.alive(self._listening.doing)
            try:
                self._listening.once()
            except LinkEnded:
                return
            with self._room.even_without():
                self._learn()
                self._look_at_vault()
                if self._health is not None:
                    self._health.look()

    def _cue_if_due(self, event: StressScored) -> None:
        pattern = self._cues.due(event)
        if pattern is not None:
            note = self._note(CUE_NOTE, {})
            self._cues.given(note.utc)
            self._handle([note])
            self._listening.cue(pattern)

    def _handle(self, events: list[AnyEvent]) -> None:
        for event in events:
            if isinstance(event, StressScored):
                self.states[event.state] += 1
                self._take_window(event)
                self._cue_if_due(event)
            elif isinstance(event, WearerVerified):
                self._wearing.walked(event)
            elif isinstance(event, StreamNoted) and event.what == BASELINE_NOTE:
                self._is_baseline_new = True
                self._wearing.rested()
            elif isinstance(event, StreamNoted) and event.what == Note.BUTTON:
                self._cues.take_press(event)
            elif isinstance(event, StreamNoted) and event.what in _WEAR_ENDS:
                self._wearing.has_ended = True
                self._is_taken_off = event.what == Note.WEAR and not event.detail["value"]
            elif isinstance(event, Labelled) and self.learning is not None:
                self.learning.trigger.add(event)
            self.emit(event)
        if self.memory is not None:
            self.memory.take_events(events)
        if self._is_baseline_new:
            self._is_baseline_new = False
            self._reload()
        if self._is_taken_off:
            self._is_taken_off = False
            with self._room.even_without():
                self._follow_gait()
        if self._wearing.has_ended:
            with self._room.even_without():
                self._end_wear()
        news = self._room.news()
        if news is not None:
            self._handle([self._note(*news)])

    def _take_window(self, event: StressScored) -> None:
        """Count a window; the first one of another day ends the day before."""
        if self._wearing.is_day_over(event):
            with self._room.even_without():
                self._watch_drift()
        self._wearing.scored(event)

    def _end_wear(self) -> None:
        """The band is off: say if the rest that was learned in it is not the wearer's."""
        if self._wearing.end(self.link.now_utc()):
            self._reload()
            self.pipeline.forget_rest()
            why = "somebody else walked in it"
            self._handle([self._note(REST_SET_ASIDE_NOTE, {"why": why})])

    def _watch_drift(self) -> None:
        """Say what no longer fits the wearer, once, at the end of the day that showed it."""
        for misfit in self._wearing.end_day(self.pipeline.paths.placement, self.link.now_utc()):
            detail = {"part": misfit.part.value, "why": misfit.why, "to_do": misfit.to_do}
            self._handle([self._note(DRIFT_NOTE, {**detail})])
            _LOGGER.warning("the signature no longer fits: signet status says what to do")

    def _follow_gait(self) -> None:
        """Learn from a sure walk, now that nobody walks; the note comes if the reference changed."""
        if self.follower is None or not self.follower.update(self.link.now_utc()):
            return
        self.pipeline.paths.use_walking(self.follower.reference())
        self._handle([self._note(GAIT_UPDATED_NOTE, {"placement": self.follower.placement})])

    def _learn(self) -> None:
        """Let learning start, pause or go on."""
        if self.learning is None or self.memory is None:
            return
        counts = self.pipeline.counts
        self._loss.take(
            self.assembler.t_s,
            sum(counts.samples.values()),
            sum(counts.missing.values()),
        )
        now_utc = self.link.now_utc()
        looked = self.learning.look(
            now_utc, lost_percent=self._loss.percent, flush=self.memory.flush
        )
        self._take_learned(looked)

    def _end_learning(self) -> None:
        """The stream is over: a last job on what its end brought if nobody is asked, else a pause."""
        if self.learning is None:
            return
        if self.learning.watch is None:
            self._learn()
        self._take_learned(self.learning.end(self.link.now_utc()))

    def _take_learned(self, looked: Looked) -> None:
        if looked.notes:
            self._handle([self._note(what, detail) for what, detail in looked.notes])
        result = looked.result
        if result is None:
            return
        kept, reason = int(bool(result["kept"])), str(result["reason"])
        self._handle([self._note(LEARNED_NOTE, {"kept": kept, "reason": reason})])
        if result["reason"] == "failed":
            _LOGGER.warning("learning failed: %s", result["text"])
        self._reload()

    def _look_at_vault(self) -> None:
        # Before the first HELLO there is no stream that a label or an adapter could be of.
        if self.memory is None or self.link.is_finite or self.pipeline.hello is None:
            return
        if self._in_force is not None and self._in_force.is_changed(self.monotonic()):
            self._reload()
            self._take_new_labels(self.memory)

    def _take_new_labels(self, memory: Memory) -> None:
        for span in memory.new_labels():
            self._handle(
                self.pipeline.add_label(
                    span.label.value, span.start_utc, span.end_utc, source="cli"
                )
            )

    def _write_all(self) -> None:
        """Nothing else will come for a while that this could be written with."""
        with self._room.even_without():
            if self.memory is not None:
                self.memory.flush()
            if self._health is not None:
                self._health.look(now=True)

    def _end_health(self, why: str) -> None:
        if self._health is not None:
            with self._room.even_without():
                self._health.end(why)

    def _note(self, what: str, detail: Detail, host_utc: float | None = None) -> StreamNoted:
        """A note of the present; ``host_utc`` is that, if it is not the link's."""
        assembler = self.assembler
        utc = self.link.now_utc() if host_utc is None else host_utc
        # Before the first HELLO there is no board clock to annotate.
        if assembler.clock is not None:
            utc = assembler.utc(assembler.t_s)
        return StreamNoted(assembler.t_s, utc, what, "", detail)

    def _finish(self, wall_s: float) -> dict[str, Any]:
        summary = summarise(self.pipeline, self.states, wall_s=wall_s)
        summary |= self._listening.counts()
        summary["cues"] = self._cues.n_given
        summary["learned"] = [] if self.learning is None else self.learning.process.results
        if self.memory is not None:
            found = misfits(self.memory.vault)
            summary["no_longer_fits"] = [misfit.part.value for misfit in found]
            put_summary(self.memory.vault, summary, utc=self.link.now_utc())
            self._end_health("done")
        return summary
