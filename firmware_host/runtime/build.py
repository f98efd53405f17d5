"""From options to a session that is ready to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from firmware_host.adaptation.limits import Limits
from firmware_host.config import DEFAULT_PLACEMENT
from firmware_host.devices import open_device
from firmware_host.events import AnyEvent
from firmware_host.host.service import ServiceManager
from firmware_host.inference.bundle import load_bundle, open_model
from firmware_host.inference.contract import Bundle
from firmware_host.inference.late import LateModel
from firmware_host.inference.placed import PlacedModel, check_placement
from firmware_host.runtime.awaiting import awaited_link
from firmware_host.runtime.baseline import WearerBaseline
from firmware_host.runtime.cues import CueRule
from firmware_host.runtime.gait_following import GaitFollower
from firmware_host.runtime.gait_path import WalkingReference
from firmware_host.runtime.in_force import baseline_in_force, walking_in_force
from firmware_host.runtime.learner_process import LearnerProcess
from firmware_host.runtime.learning import Learning
from firmware_host.runtime.link import Link, lasting_link
from firmware_host.runtime.memory import LIVE_BATCH_S, Memory, stored_source
from firmware_host.runtime.model_paths import Models
from firmware_host.runtime.permission import Asks, HostWatch
from firmware_host.runtime.pipeline import Listeners, Pipeline
from firmware_host.runtime.session import Session
from firmware_host.runtime.silence import SilenceLimits
from firmware_host.transport.base import Transport, parse_url
from firmware_host.vault.records import Vault

LabelSpans = Iterable[tuple[float, float, str]]


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Everything a run needs to know.

    Parameters
    ----------
    placement
        Where on the body the device is worn, one of the bundle's.
    learner_arguments
        Options for ``signet learn``; None never learns.
    host_root, storage, limits
        Where this machine's ``/sys`` is and the vault, and when that machine may learn.
    rates
        Sample rates to ask of the board, Hz by channel name.
    follow_gait
        Let the gait reference follow the wearer, on proof (`identity.self_update`).
    waits
        A board that is not there yet is awaited; else it is an error.
    """

    url: str
    bundle: Path | str = ""
    runtime: str = "auto"
    delegate: str = "auto"
    placement: str = DEFAULT_PLACEMENT
    silence: SilenceLimits = field(default_factory=SilenceLimits)
    rates: Mapping[str, float] = field(default_factory=dict)
    keep_days: float = 30.0
    cue_on_stress: bool = False
    labels: LabelSpans = ()
    pressed: LabelSpans = ()
    learner_arguments: Sequence[str | Path] | None = None
    host_root: Path = Path("/")
    storage: Path = Path()
    limits: Limits = field(default_factory=Limits)
    follow_gait: bool = False
    waits: bool = False
    seed: int = 1
    listeners: Listeners = field(default_factory=Listeners)


def open_models(bundle: Bundle, *, runtime: str, placement: str, delegate: str = "auto") -> Models:
    """The bundle's networks; the stress network as shipped and, once something was learned, the wearer's.

    Raises
    ------
    BundleError, ContractError
        If a model is not as the bundle says, or there is none for where the device is worn.
    """
    check_placement(bundle.gait.placements, placement)
    gait, generic = (
        open_model(bundle, contract, runtime=runtime, delegate=delegate)
        for contract in (bundle.gait, bundle.stress)
    )
    return Models(
        generic=generic,
        personal=LateModel(
            generic,
            lambda: open_model(bundle, bundle.stress, runtime=runtime, delegate=delegate),
        ),
        gait=PlacedModel(gait, bundle.gait.placements, placement),
    )


def open_session(
    options: SessionOptions,
    keep: Callable[[], Vault] | None,
    *,
    emit: Callable[[AnyEvent], None],
    stop: Callable[[], bool],
    open_transport: Callable[[], Transport] | None = None,
    service: ServiceManager | None = None,
) -> Session:
    """A session on a device, with what the vault knows of the wearer.

    Parameters
    ----------
    keep
        Gives the vault, asked once the device is open or while it is awaited; None keeps nothing.
    service
        Whom systemd left an address of, to be told how it goes; None tells nobody.

    Raises
    ------
    SignetError
        If the device, the bundle or the vault is not usable.
    """
    bundle = load_bundle(options.bundle)
    models = open_models(
        bundle, runtime=options.runtime, placement=options.placement, delegate=options.delegate
    )
    service = ServiceManager({}) if service is None else service
    opens = open_transport or (lambda: open_device(options.url))
    link = _link(options, opens, stop, service, keep)
    vault = None if keep is None else vault_for(link, keep)
    memory = None if vault is None else Memory(vault, keep_days=options.keep_days)
    if memory is not None and not link.is_finite:
        memory.batch_s = LIVE_BATCH_S
    follower = _follower(options, vault, bundle, models)
    pipeline = Pipeline(
        bundle,
        models,
        baseline=_baseline(bundle, vault, memory),
        walking=_walking(vault, bundle, models, options.placement),
        placement=options.placement,
        labels=options.labels,
        pressed=options.pressed,
        listeners=_listeners(options.listeners, memory, follower),
        is_live=not link.is_finite,
    )
    return Session(
        link=link,
        pipeline=pipeline,
        models=models,
        bundle_sha256=bundle.sha256,
        emit=emit,
        memory=memory,
        learning=None if vault is None else _learning(options, vault, link),
        silence=options.silence,
        rates=options.rates,
        cues=CueRule() if options.cue_on_stress else None,
        follower=follower,
        stop=stop,
        service=service,
    )


def vault_for(link: Link, keep: Callable[[], Vault]) -> Vault:
    """The vault for what comes over a link, which is let go of if there is none to be had."""
    try:
        return keep()
    except BaseException:
        link.close()
        raise


def _link(
    options: SessionOptions,
    opens: Callable[[], Transport],
    stop: Callable[[], bool],
    service: ServiceManager,
    keep: Callable[[], Vault] | None,
) -> Link:
    if not options.waits:
        return lasting_link(opens, stop=stop)

    def told(why: str) -> None:
        if keep is not None:
            # What is wrong with it is said now and not when the board comes.
            keep()
        service.alive(lambda: f"waiting for the board: {why}")

    return awaited_link(lambda: lasting_link(opens, stop=stop), told, stop=stop)


def _learning(options: SessionOptions, vault: Vault, link: Link) -> Learning | None:
    """Real time: this machine is asked. Virtual time: the simulated one, or nobody."""
    arguments = options.learner_arguments
    if arguments is None:
        return None
    if not link.is_finite:
        watch = HostWatch(options.host_root, options.storage, options.limits)
        return Learning(LearnerProcess(arguments, Asks.HOST), vault, watch)
    simulated = parse_url(options.url).option("host") if link.virtual_time else None
    if simulated is None:
        return Learning(LearnerProcess(arguments, Asks.NOBODY), vault)
    watch = HostWatch(Path(simulated), options.storage, options.limits, clock=link.now_utc)
    return Learning(LearnerProcess(arguments, Asks.RUN), vault, watch, worked=link.work)


def _walking(
    vault: Vault | None, bundle: Bundle, models: Models, placement: str
) -> WalkingReference | None:
    return None if vault is None else walking_in_force(vault, bundle, models.gait, placement)


def _baseline(bundle: Bundle, vault: Vault | None, memory: Memory | None) -> WearerBaseline:
    stored = None if vault is None else baseline_in_force(vault)
    return WearerBaseline(
        window_s=bundle.stress.window_s,
        max_motion_ms2=bundle.stress.thresholds["max_motion_ms2"],
        current=None if stored is None else stored.baseline,
        source=None if vault is None or stored is None else stored_source(vault),
        taken_utc=None if stored is None else stored.taken_utc,
        changed=(lambda *_: None) if memory is None else memory.take_baseline,
    )


def _follower(
    options: SessionOptions, vault: Vault | None, bundle: Bundle, models: Models
) -> GaitFollower | None:
    if vault is None or not options.follow_gait:
        return None
    return GaitFollower(vault, bundle, models.gait, options.placement, options.seed)


def _listeners(
    listeners: Listeners, memory: Memory | None, follower: GaitFollower | None
) -> Listeners:
    if memory is not None:
        listeners = replace(listeners, window=memory.take_window)
    return listeners if follower is None else replace(listeners, walk=follower.take)
