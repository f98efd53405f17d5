"""Going back: to the adapter before, to any earlier one, or to the generic model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from firmware_host.adaptation import ledger
from firmware_host.adaptation.adapters import Adapter, history, pointer_name
from firmware_host.adaptation.samples import BASELINE_POINTER, load_rests, rest_in_force
from firmware_host.errors import AdaptationError, AdaptationReason, VaultError
from firmware_host.vault.records import Vault

GENERIC = 0


@dataclass(frozen=True, slots=True)
class Reverted:
    """What is in force now, None for the generic model, and whether its rest had to come back too."""

    adapter: Adapter | None
    is_rest_restored: bool


def revert(
    vault: Vault, model: str, *, bundle_sha256: str, now_utc: float, to: int | None = None
) -> Reverted:
    """Put an earlier adapter in force, with the rest that its inputs were seen from.

    Nothing is deleted, the ledger says that it happened, and the next job learns only from labels
    that it did not know.

    Parameters
    ----------
    to
        Version to go to, 0 for the generic model; None for the one that the adapter in force replaced.

    Raises
    ------
    AdaptationError
        `no_data` if there is no such version, or it is in force already; `foreign_adapter` if it was
        learned on another bundle; `no_baseline` if its rest is gone.
    """
    name = pointer_name(model)
    from_id = vault.pointer(name)
    known = {adapter.id: adapter for adapter in history(vault, model)}
    target = _parent(from_id, known) if to is None else _version(to, from_id, known)
    if target is not None and target.bundle_sha256 != bundle_sha256:
        msg = (
            f"adapter {target.version}: expected one learned on bundle {bundle_sha256[:12]}, got one "
            f"of {target.bundle_sha256[:12]}: name that bundle, or learn again (signet learn)"
        )
        raise AdaptationError(AdaptationReason.FOREIGN_ADAPTER, msg)
    with vault.transaction():
        is_restored = target is not None and _restore_rest(vault, target)
        vault.set_pointer(name, None if target is None else target.id)
        facts: dict[str, Any] = {
            "what": "revert",
            "model": model,
            "from_id": from_id,
            "to_id": None if target is None else target.id,
            "to_version": GENERIC if target is None else target.version,
            "is_rest_restored": is_restored,
        }
        ledger.append(vault, facts, now_utc=now_utc)
    return Reverted(target, is_restored)


def _parent(from_id: int | None, known: dict[int, Adapter]) -> Adapter | None:
    if from_id is None:
        _refuse("an adapter to go back from", "the generic model in force", known)
    if from_id not in known:
        _refuse("an adapter in force that opens", "a damaged one", known)
    parent_id = known[from_id].parent_id
    if parent_id is not None and parent_id not in known:
        _refuse("an adapter before it that opens", "a damaged one", known)
    return None if parent_id is None else known[parent_id]


def _version(to: int, from_id: int | None, known: dict[int, Adapter]) -> Adapter | None:
    found = [adapter for adapter in known.values() if adapter.version == to]
    if to != GENERIC and not found:
        _refuse("a version that there is", str(to), known)
    target = found[0] if to != GENERIC else None
    if from_id == (None if target is None else target.id):
        in_force = "the generic model" if target is None else f"adapter {to}"
        _refuse("another one than is in force", in_force, known)
    return target


def _refuse(expected: str, received: str, known: dict[int, Adapter]) -> NoReturn:
    versions = ", ".join(str(adapter.version) for adapter in known.values()) or "none"
    msg = f"revert: expected {expected}, got {received} (versions: {versions}; or generic)"
    raise AdaptationError(AdaptationReason.NO_DATA, msg)


def _restore_rest(vault: Vault, adapter: Adapter) -> bool:
    """Put the adapter's line of rest in force if another one is; its numbers mean nothing on another."""
    try:
        current = rest_in_force(vault)
    except VaultError:
        current = None
    if adapter.baseline_id is None or (current and current.line_id == adapter.baseline_id):
        return False
    line = [rest.id for rest in load_rests(vault) if rest.line_id == adapter.baseline_id]
    if not line:
        msg = f"adapter {adapter.version}: expected the rest that it was learned on, found none"
        raise AdaptationError(AdaptationReason.NO_BASELINE, msg)
    vault.set_pointer(BASELINE_POINTER, line[-1])
    return True
