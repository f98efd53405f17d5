"""``signet run``: stream, watch, keep, learn."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.cli.common import (
    add_device,
    add_model,
    add_placement,
    add_rates,
    add_shared,
    device_url,
    places,
    print_json,
    say_update_offer,
    settings,
    vault_once_needed,
    wanted_rates,
)
from firmware_host.cli.streaming import (
    EventPrinter,
    Stopper,
    add_max_silence,
    interrupted_early,
    learner_arguments,
    new_recording,
    positive_seconds,
    say_summary,
    silence_limits,
)
from firmware_host.errors import LinkError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.config import Config
    from firmware_host.events import AnyEvent
    from firmware_host.runtime.build import SessionOptions
    from firmware_host.runtime.recorded import Recorded
    from firmware_host.runtime.tap import Tap


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "run",
        help="stream a board, say what is seen, learn from labels",
        description="Stream a board until Ctrl-C. Events go to the encrypted vault and, with --json, "
        "to standard output; labels start the learner, which runs beside the stream.",
    )
    add_device(parser)
    add_placement(parser)
    add_model(parser)
    add_shared(parser)
    parser.add_argument("--no-learn", action="store_true", help="watch only")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="label file beside a replay: recording"
    )
    parser.add_argument(
        "--record", type=new_recording, metavar="FILE", help="also write a recording (.mcap)"
    )
    add_max_silence(parser)
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for a board that is not there yet, as a service does; without it that is exit code 3",
    )
    add_rates(parser)
    parser.add_argument("--seconds", type=positive_seconds, help="end after this much real time")
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Stream until the source ends or somebody says stop."""
    from firmware_host.host.service import ServiceManager
    from firmware_host.runtime.build import open_session
    from firmware_host.runtime.recorded import open_recorded
    from firmware_host.runtime.tap import recording_tap

    config = settings(args)
    url = device_url(args, config)
    rates = wanted_rates(args, config, url)
    recorded = open_recorded(url, args.labels, keeps=True)
    stopper = Stopper()
    ends_s = time.monotonic() + args.seconds if args.seconds else float("inf")
    printer = EventPrinter(as_json=args.json)
    with (
        ServiceManager() as service,
        vault_once_needed(args, config, exclusive=True) as vault,
        recording_tap(args.record, config.recording, printer, rates) as tap,
    ):
        stopper.install()
        try:
            with nullcontext() if args.wait else interrupted_early(stopper):
                session = open_session(
                    _options(args, config, url, rates, recorded, tap),
                    vault,
                    emit=printer if tap is None else _both(printer, tap.event),
                    stop=lambda: stopper() or time.monotonic() >= ends_s,
                    open_transport=recorded.open if recorded else None,
                    service=service,
                )
        except LinkError:
            if args.wait and stopper():
                # Told to end before there was a board: nothing began, and nothing is wrong.
                return 0
            raise
        if session.link.hello is not None:
            say_update_offer(session.link.hello.firmware, url)
        summary = session.run()
    if args.json:
        print_json({"kind": "summary", **summary})
    else:
        say_summary(summary)
    if tap is not None:
        tap.complain()
    return 0


def _options(
    args: argparse.Namespace,
    config: Config,
    url: str,
    rates: dict[str, float],
    recorded: Recorded | None,
    tap: Tap | None,
) -> SessionOptions:
    from firmware_host.runtime.build import SessionOptions
    from firmware_host.runtime.pipeline import Listeners

    learns = config.adaptation.enabled and not args.no_learn
    return SessionOptions(
        url=url,
        bundle=args.bundle or config.model.bundle,
        runtime=config.model.runtime,
        delegate=config.model.delegate,
        placement=args.placement or config.device.placement,
        keep_days=config.state.keep_days,
        cue_on_stress=config.device.cue_on_stress,
        silence=silence_limits(args, config),
        rates=rates,
        labels=recorded.labels if recorded else (),
        pressed=recorded.pressed if recorded else (),
        learner_arguments=learner_arguments(args, config) if learns else None,
        host_root=config.host_root(),
        storage=places(args, config)[0],
        limits=config.policy,
        follow_gait=config.enrolment.follow,
        waits=args.wait,
        seed=config.adaptation.seed,
        listeners=Listeners() if tap is None else Listeners(message=tap.message),
    )


def _both(
    first: Callable[[AnyEvent], None], second: Callable[[AnyEvent], None]
) -> Callable[[AnyEvent], None]:
    def emit(event: AnyEvent) -> None:
        first(event)
        second(event)

    return emit
