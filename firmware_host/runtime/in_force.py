"""What is in force of a wearer, as far as it opens: a damaged record must not stop a stream."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from firmware_host.adaptation.adapters import Adapter, apply_adapter, load_current
from firmware_host.adaptation.samples import Rest, rest_in_force
from firmware_host.errors import AdaptationError, VaultError
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import Bundle
from firmware_host.runtime.baseline import Source
from firmware_host.runtime.gait_path import WalkingReference
from firmware_host.runtime.gait_reference import load_walking
from firmware_host.runtime.memory import stored_source
from firmware_host.vault.records import Vault
from firmware_host.words import counted

if TYPE_CHECKING:
    from firmware_host.events import StreamNoted
    from firmware_host.runtime.model_paths import Models
    from firmware_host.runtime.pipeline import Pipeline

_LOGGER = logging.getLogger(__name__)
_T = TypeVar("_T")

# A live run looks this often whether somebody else changed the vault (a learner, a revert).
_LOOK_S = 2.0


class InForce:
    """Keeps a pipeline at what the vault holds in force: the baseline, and the adapter learned on it."""

    def __init__(
        self, vault: Vault, pipeline: Pipeline, models: Models, *, bundle_sha256: str
    ) -> None:
        self._vault = vault
        self._pipeline = pipeline
        self._models = models
        self._bundle_sha256 = bundle_sha256
        self._adapter_id: int | None = None
        self._rest_id: int | None = None
        self._looked_s = 0.0
        self._version = -1

    def reload(self) -> list[StreamNoted]:
        """Take over what is in force now; a note if a stream goes on with another adapter."""
        rest = baseline_in_force(self._vault)
        if rest is not None and rest.id != self._rest_id:
            self._rest_id = rest.id
            source = stored_source(self._vault) or Source.QUIET
            self._pipeline.use_baseline(rest.baseline, source, taken_utc=rest.taken_utc)
        adapter = adapter_in_force(self._vault, bundle_sha256=self._bundle_sha256)
        if adapter is not None and (rest is None or adapter.baseline_id != rest.line_id):
            # Its numbers are deviations from a rest that no longer counts; the next job learns anew.
            adapter = None
        return self._use(adapter)

    def is_changed(self, now_s: float) -> bool:
        """Whether anybody has written to the vault since the last look; looks now and then only."""
        if now_s - self._looked_s < _LOOK_S:
            return False
        self._looked_s = now_s
        before, self._version = self._version, self._vault.data_version()
        return self._version != before

    def _use(self, adapter: Adapter | None) -> list[StreamNoted]:
        adapter_id = None if adapter is None else adapter.id
        if adapter_id == self._adapter_id:
            return []
        apply_adapter(self._models.personal, None if adapter is None else adapter.arrays)
        self._adapter_id = adapter_id
        note = self._pipeline.use_adapter(0 if adapter is None else adapter.version)
        return [] if self._pipeline.hello is None else [note]


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
    text = f"{counted(n, 'damaged record')} left out"
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
