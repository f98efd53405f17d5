"""What is in force of a wearer, as far as it opens: a damaged record must not stop a stream."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TypeVar

from firmware_host.adaptation.adapters import Adapter, load_current
from firmware_host.adaptation.samples import Rest, rest_in_force
from firmware_host.errors import AdaptationError, VaultError
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import Bundle
from firmware_host.runtime.gait_path import WalkingReference
from firmware_host.runtime.gait_reference import load_walking
from firmware_host.vault.records import Vault

_LOGGER = logging.getLogger(__name__)
_T = TypeVar("_T")


def baseline_in_force(vault: Vault) -> Rest | None:
    """The baseline as it is stored; None if there is none, or it is damaged."""
    return _unless_damaged(
        vault,
        lambda: rest_in_force(vault),
        "baseline",
        "a new one is learned; signet enrol baseline makes a better one",
    )


def adapter_in_force(vault: Vault, *, bundle_sha256: str) -> Adapter | None:
    """The stress adapter; None for the generic model.

    That one stands in for a damaged adapter, and for one of another bundle, whose numbers mean
    nothing on this one.
    """
    try:
        return _unless_damaged(
            vault,
            lambda: load_current(vault, "stress", bundle_sha256=bundle_sha256),
            "adapter",
            "going on with the generic model; run signet learn",
        )
    except AdaptationError as err:
        _warn_once(f"adapter set aside, going on with the generic model: {err}")
        return None


@functools.cache
def _warn_once(text: str) -> None:
    # A run looks again and again; once is enough to be told.
    _LOGGER.warning("%s", text)


def walking_in_force(
    vault: Vault, bundle: Bundle, model: SignatureModel, placement: str
) -> WalkingReference | None:
    """The gait reference of a placement, put into ``model``; None if there is no usable one."""
    return _unless_damaged(
        vault,
        lambda: load_walking(vault, bundle, model, placement),
        "gait reference",
        f"going on without verification; run signet enrol gait --placement {placement}",
    )


def say_damaged(vault: Vault) -> str:
    """Words for what was left out so far, logged as a warning as well; empty if nothing was."""
    n = len(vault.damaged)
    if n == 0:
        return ""
    text = f"{n} damaged record{'' if n == 1 else 's'} left out"
    _LOGGER.warning("%s", text)
    return text


def _unless_damaged(
    vault: Vault, load: Callable[[], _T | None], what: str, to_do: str
) -> _T | None:
    try:
        return load()
    except VaultError as err:
        # A run looks again and again; once is enough to be told.
        if f"{what} in force" not in vault.damaged:
            vault.damaged.add(f"{what} in force")
            _LOGGER.warning("damaged %s left out: %s (%s)", what, to_do, err)
        return None
