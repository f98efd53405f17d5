"""Enrolment as a command runs it: stream until enough walking, or enough rest, was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from firmware_host.errors import ContractError, EnrolmentError
from firmware_host.events import AnyEvent, StreamNoted
from firmware_host.identity.enrolment import Enrolled, Enrolment, Progress, enrol
from firmware_host.inference.bundle import load_bundle
from firmware_host.inference.contract import STRESS_PLACEMENT
from firmware_host.inference.placed import check_placement
from firmware_host.runtime.baseline import TimedWindow
from firmware_host.runtime.build import SessionOptions, open_session, vault_for
from firmware_host.runtime.gait_path import others, walking_gate
from firmware_host.runtime.gait_reference import put_walking
from firmware_host.runtime.memory import put_guided_baseline
from firmware_host.runtime.pipeline import MODEL_OFF_NOTE, Listeners
from firmware_host.signals.gait import HOP_S, WINDOW_S, GaitWindow
from firmware_host.signals.normalise import BaselineEstimator
from firmware_host.vault.records import Vault

Report = Callable[[Progress], None]
# Stress windows of a guided rest: thirteen, 10 s apart and 60 s long, are three minutes.
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
    keep: Callable[[], Vault],
    *,
    walk_s: float,
    seed: int,
    report: Report,
    stop: Callable[[], bool],
) -> Enrolled:
    """Stream a device until ``walk_s`` seconds of usable walking came, learn them, keep the reference.

    Parameters
    ----------
    keep
        Gives the vault, asked once the device is open.

    Raises
    ------
    EnrolmentError
        If the stream ended with too little usable walking; says what was the matter with it.
    ContractError
        If the bundle cannot tell people at the placement.
    """
    bundle = load_bundle(options.bundle)
    needed = round((walk_s - WINDOW_S) / HOP_S) + 1
    placement = options.placement
    check_placement(bundle.gait.placements, placement)
    gate = walking_gate(bundle.gait, placement)
    walker = _Walker(Enrolment(gate, needed=needed), report)
    session = open_session(
        _with_listeners(options, Listeners(gait_window=walker.take)),
        None,
        emit=_needs("gait"),
        stop=lambda: walker.is_done or stop(),
    )
    vault = vault_for(session.link, keep)
    session.run()
    background = others(bundle, placement)
    enrolled = enrol(
        session.models.gait,
        walker.enrolment.features(),
        background.draw(seed=seed),
        threshold=bundle.gait.limit("verification", placement),
        fill=background.center,
        rng=np.random.default_rng(seed),
    )
    put_walking(vault, enrolled, bundle, placement=placement, now_utc=session.link.now_utc())
    return enrolled


@dataclass(slots=True)
class _Rester:
    """Collects windows of rest."""

    report: Report
    max_motion_ms2: float
    estimator: BaselineEstimator = field(default_factory=BaselineEstimator)
    stuck: str | None = None

    @property
    def is_done(self) -> bool:
        return self.estimator.n_windows >= BASELINE_WINDOWS

    def take(self, timed: TimedWindow) -> None:
        """Count a window if it shows rest; else remember what to change."""
        window = timed.window
        self.stuck = None
        if not window.worn:
            self.stuck = "the band is not on the skin"
        elif window.motion > self.max_motion_ms2:
            self.stuck = "you are moving: sit still"
        elif not self.is_done:
            self.estimator.add(window.features, window.quality)
        self.report(Progress(self.estimator.n_windows, BASELINE_WINDOWS, self.stuck))


def enrol_baseline(
    options: SessionOptions,
    keep: Callable[[], Vault],
    *,
    report: Report,
    stop: Callable[[], bool],
) -> int:
    """Stream a device while the wearer sits still; that rest is the baseline from now on.

    Returns the number of windows it rests on.

    Parameters
    ----------
    keep
        Gives the vault, asked once the device is open.

    Raises
    ------
    ContractError
        If the board lacks a channel that the stress model needs.
    EnrolmentError
        If the board is not worn where stress is told, or the stream ended before three minutes of
        worn, still rest.
    """
    if options.placement != STRESS_PLACEMENT:
        reason = (
            f"a baseline is taken at the {STRESS_PLACEMENT}, and the board is worn at the "
            f"{options.placement}: wear it there and say --placement {STRESS_PLACEMENT}"
        )
        raise EnrolmentError(reason, n_windows=0, needed=BASELINE_WINDOWS)
    bundle = load_bundle(options.bundle)
    rester = _Rester(report, bundle.stress.thresholds["max_motion_ms2"])
    session = open_session(
        _with_listeners(options, Listeners(window=rester.take)),
        None,
        emit=_needs("stress"),
        stop=lambda: rester.is_done or stop(),
    )
    vault = vault_for(session.link, keep)
    session.run()
    n_windows = rester.estimator.n_windows
    if not rester.is_done:
        reason = rester.stuck or "too little rest: sit still about four minutes"
        raise EnrolmentError(reason, n_windows=n_windows, needed=BASELINE_WINDOWS)
    put_guided_baseline(vault, rester.estimator.baseline(), utc=session.link.now_utc())
    return n_windows


def _needs(model: str) -> Callable[[AnyEvent], None]:
    """Refuses a board on which the model cannot run: nothing would ever be enrolled."""

    def take(event: AnyEvent) -> None:
        if not isinstance(event, StreamNoted) or event.what != MODEL_OFF_NOTE:
            return
        if event.detail["model"] == model:
            msg = f"the {model} model cannot run on this board ({event.detail['why']})"
            raise ContractError(msg)

    return take


def _with_listeners(options: SessionOptions, listeners: Listeners) -> SessionOptions:
    return SessionOptions(
        url=options.url,
        bundle=options.bundle,
        runtime=options.runtime,
        delegate=options.delegate,
        placement=options.placement,
        silence=options.silence,
        rates=options.rates,
        listeners=listeners,
    )
