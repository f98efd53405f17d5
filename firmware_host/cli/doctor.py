"""``signet doctor``: is this machine fit for it, and what to do if not."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.cli.common import add_shared, places, print_json, settings
from firmware_host.errors import SignetError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from firmware_host.config import Model
    from firmware_host.host.checks import Check


def add_parser(verbs: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the verb."""
    parser = verbs.add_parser(
        "doctor",
        help="check ports, permissions, runtime, disk, clock and heat",
        description="Check this machine. Ends with 1 if something has to be mended first.",
    )
    add_shared(parser)
    parser.set_defaults(handler=run)


def run(args: argparse.Namespace) -> int:
    """Print one line a check."""
    from firmware_host.host.checks import Status, run_checks, worst
    from firmware_host.host.machine import Machine

    config = settings(args)
    state, key = places(args, config)
    machine = Machine(host_root=config.host_root())
    checks = _with_vault(
        run_checks(state_dir=state, key_file=key, machine=machine), _check_vault(state, key)
    )
    checks = _with_accelerator(checks, config.model)
    if args.json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            print(f"{check.status.value:<5} {check.name}: {check.text}")
            if check.fix:
                print(f"      {check.fix}")
    return 1 if worst(checks) is Status.FAIL else 0


def _with_accelerator(checks: list[Check], model: Model) -> list[Check]:
    """What int8 layers would run on, after the check of the runtime that would load it."""
    from firmware_host.host.checks import Check, Status
    from firmware_host.inference.int8_layers import accelerator_here

    idx = [check.name for check in checks].index("tflite") + 1
    try:
        found = accelerator_here(model.runtime, model.delegate)
    except SignetError:
        # That there is no runtime, its own check has said.
        return checks
    misses = model.delegate == "edgetpu" and found.delegate is None
    fix = "install libedgetpu and plug the TPU in, or set model.delegate to auto" if misses else ""
    check = Check("delegate", Status.WARN if misses else Status.OK, found.text, fix)
    return [*checks[:idx], check, *checks[idx:]]


def _check_vault(state: Path, key: Path) -> Check:
    """The key opens what is stored; nothing is written, and no record is read."""
    from firmware_host.host.checks import Check, Status
    from firmware_host.vault.keys import WRAP_NAME, open_data_key

    try:
        if not (state / WRAP_NAME).exists():
            return Check("vault", Status.OK, f"{state} holds none yet; made on first use")
        open_data_key(state, key)
    except SignetError as err:
        return Check("vault", Status.FAIL, str(err), "bring back the key file, or name it")
    except OSError as err:
        text = f"{err.filename or state}: {err.strerror}"
        return Check("vault", Status.FAIL, text, "run as the owner of the state folder")
    return Check("vault", Status.OK, f"{key} opens {state}")


def _with_vault(checks: list[Check], vault: Check) -> list[Check]:
    """The vault's check after the key's, and instead of a key's that is well only by itself."""
    from firmware_host.host.checks import Status

    idx = [check.name for check in checks].index("key")
    misleading = vault.status is Status.FAIL and checks[idx].status is Status.OK
    return [*checks[: idx if misleading else idx + 1], vault, *checks[idx + 1 :]]
