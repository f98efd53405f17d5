"""Enrolment as a command runs it: stream until enough walking, or enough rest, was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from firmware_host.errors import EnrolmentError
from firmware_host.events import AnyEvent, StressScored
from firmware_host.identity.enrolment import Enrolled, Enrolment, Progress, enrol
from firmware_host.inference.bundle import load_bundle
from firmware_host.runtime.baseline import MIN_GUIDED_WINDOWS, TimedWindow
from firmware_host.runtime.build import SessionOptions, open_session
from firmware_host.runtime.gait_path import cohort_of, put_walking, walking_gate
from firmware_host.runtime.memory import put_guided_baseline
from firmware_host.runtime.pipeline import Listeners
from firmware_host.signals.gait import HOP_S, WINDOW_S, GaitWindow
from firmware_host.signals.normalise import BaselineEstimator
from firmware_host.vault.records import Vault

Report = Callable[[Progress], None]
# The stress windows of a guided rest: three minutes give thirteen.
BASELINE_WINDOWS = 13


@dataclass(slots=True)
class _Walker:
    """Collects walking windows and says when there are enough."""

    enrolment: Enrolment
    report: Report
    is_done: bool = False

    def take(self, window: GaitWindow, p_walk: float) -> None:
        progress = self.enrolment.add(window, p_walk)
        self.is_done = progress.done
        self.report(progress)


def enrol_gait(
    options: SessionOptions,
    vault: Vault,
    *,
    walk_s: float,
    seed: int,
    report: Report,
    stop: Callable[[], bool],
) -> Enrolled:
    """Stream a device until ``walk_s`` seconds of usable walking came, learn them, keep the reference.

    Raises
    ------
    EnrolmentError
        If the stream ended with too little usable walking; says what was the matter with it.
    """
    bundle = load_bundle(options.bundle)
    needed = round((walk_s - WINDOW_S) / HOP_S) + 1
    walker = _Walker(Enrolment(walking_gate(bundle.gait), needed=needed), report)
    session = open_session(
        _with_listeners(options, Listeners(gait_window=walker.take)),
        None,
        emit=lambda _event: None,
        stop=lambda: walker.is_done or stop(),
    )
    session.run()
    cohort = cohort_of(bundle)
    enrolled = enrol(
        session.models.gait,
        walker.enrolment.features(),
        cohort["features"],
        threshold=bundle.gait.thresholds["verification"],
        fill=cohort["fill"],
        rng=np.random.default_rng(seed),
    )
    put_walking(vault, enrolled, bundle, now_utc=session.link.now_utc())
    return enrolled


@dataclass(slots=True)
class _Rester:
    """Collects windows of rest."""

    report: Report
    estimator: BaselineEstimator = field(default_factory=BaselineEstimator)

    @property
    def is_done(self) -> bool:
        return self.estimator.n_windows >= BASELINE_WINDOWS

    def emit(self, event: AnyEvent) -> None:
        """Tell how far it is whenever a window was scored."""
        if isinstance(event, StressScored):
            stuck = None if event.state != "not_worn" else "the band is not on the skin"
            self.report(Progress(self.estimator.n_windows, BASELINE_WINDOWS, stuck))


def enrol_baseline(
    options: SessionOptions, vault: Vault, *, report: Report, stop: Callable[[], bool]
) -> int:
    """Stream a device while the wearer sits still; that rest is the baseline from now on.

    Returns the number of windows it rests on.

    Raises
    ------
    EnrolmentError
        If the stream ended before two minutes of worn rest.
    """
    rester = _Rester(report)

    def take(timed: TimedWindow) -> None:
        window = timed.window
        if window.worn and not rester.is_done:
            rester.estimator.add(window.features, window.quality)

    session = open_session(
        _with_listeners(options, Listeners(window=take)),
        None,
        emit=rester.emit,
        stop=lambda: rester.is_done or stop(),
    )
    session.run()
    n_windows = rester.estimator.n_windows
    if n_windows < MIN_GUIDED_WINDOWS:
        reason = "too little rest with the band on the skin"
        raise EnrolmentError(reason, n_windows=n_windows, needed=MIN_GUIDED_WINDOWS)
    put_guided_baseline(vault, rester.estimator.baseline(), utc=session.link.now_utc())
    return n_windows


def _with_listeners(options: SessionOptions, listeners: Listeners) -> SessionOptions:
    return SessionOptions(
        url=options.url,
        bundle=options.bundle,
        runtime=options.runtime,
        silence_s=options.silence_s,
        listeners=listeners,
    )
