"""Adapters at rest: what was learned, tied by hash to the model it was learned on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from firmware_host.errors import AdaptationError, AdaptationReason, VaultError
from firmware_host.inference.base import FloatArray, SignatureModel, find_signature
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Record, Vault

ADAPTER_KIND = "adapter"
_MOMENTUM = "momentum_"


@dataclass(frozen=True, slots=True)
class Adapter:
    """One stored adapter: its values, and what they were learned on and from.

    `parent_id` is the adapter it replaced, None for the generic model; `baseline_id` the baseline
    its inputs were normalised with. An adapter is personal data: it can tell of the wearer.
    """

    id: int
    version: int
    model: str
    bundle_sha256: str
    group: str
    parent_id: int | None
    baseline_id: int | None
    created_utc: float
    arrays: Mapping[str, FloatArray] = field(repr=False)


def pointer_name(model: str) -> str:
    """Name of the pointer at the adapter in force for a model."""
    return f"adapter/{model}"


def read_adapter(model: SignatureModel) -> dict[str, FloatArray]:
    """Copy the trainable values out of a model, without momentum."""
    state = model.run("get_adapter")
    return {name: v for name, v in state.items() if not name.startswith(_MOMENTUM)}


def apply_adapter(model: SignatureModel, arrays: Mapping[str, FloatArray] | None) -> None:
    """Put values into a model, momentum at rest; None is the generic model."""
    if arrays is None:
        model.run("reset")
        return
    inputs = find_signature(model.signatures, "set_adapter").inputs
    at_rest = {
        name: np.zeros(spec.shape, np.float32)
        for name, spec in inputs.items()
        if name.startswith(_MOMENTUM)
    }
    model.run("set_adapter", **dict(arrays), **at_rest)


def put_adapter(
    vault: Vault,
    arrays: Mapping[str, FloatArray],
    *,
    model: str,
    bundle_sha256: str,
    group: str,
    baseline_id: int | None,
    now_utc: float,
) -> int:
    """Store an adapter and make it the one in force; belongs inside a transaction."""
    meta = {
        "version": next_version(vault, model),
        "model": model,
        "bundle_sha256": bundle_sha256,
        "group": group,
        "parent_id": vault.pointer(pointer_name(model)),
        "baseline_id": baseline_id,
    }
    record_id = vault.put(ADAPTER_KIND, pack(arrays, meta), now_utc)
    vault.set_pointer(pointer_name(model), record_id)
    return record_id


def history(vault: Vault, model: str) -> list[Adapter]:
    """Open every stored adapter of a model, oldest first."""
    adapters = [_adapter(record) for record in vault.iterate(ADAPTER_KIND, skip_damaged=True)]
    return [adapter for adapter in adapters if adapter.model == model]


def next_version(vault: Vault, model: str) -> int:
    """Give a number above all that were given; 0 is the generic model.

    A damaged adapter does not tell its number, but counts.
    """
    versions = [adapter.version for adapter in history(vault, model)]
    return max([*versions, vault.count(ADAPTER_KIND)]) + 1


def load_current(vault: Vault, model: str, *, bundle_sha256: str) -> Adapter | None:
    """Open the adapter in force, None while the generic model is.

    Raises
    ------
    AdaptationError
        `foreign_adapter` if it was learned on another bundle: its numbers mean nothing on this one.
    """
    record_id = vault.pointer(pointer_name(model))
    if record_id is None:
        return None
    adapter = _adapter(vault.get(record_id))
    if adapter.bundle_sha256 != bundle_sha256 or adapter.model != model:
        msg = (
            f"adapter {adapter.version}: expected one learned on bundle {bundle_sha256[:12]}, "
            f"got one of {adapter.bundle_sha256[:12]}: learn again (signet learn), or go back to that bundle"
        )
        raise AdaptationError(AdaptationReason.FOREIGN_ADAPTER, msg)
    return adapter


def load_usable(vault: Vault, model: str, *, bundle_sha256: str) -> tuple[Adapter | None, str]:
    """The adapter in force, and no word; or None, and why the one pointed at is set aside."""
    try:
        return load_current(vault, model, bundle_sha256=bundle_sha256), ""
    except VaultError:
        return None, "the adapter in force, damaged: the generic model stands in"
    except AdaptationError:
        return None, "the adapter in force, learned on another bundle: the generic model stands in"


def _adapter(record: Record) -> Adapter:
    arrays, meta = unpack(record.payload)
    return Adapter(
        id=record.id,
        version=meta["version"],
        model=meta["model"],
        bundle_sha256=meta["bundle_sha256"],
        group=meta["group"],
        parent_id=meta["parent_id"],
        baseline_id=meta["baseline_id"],
        created_utc=record.t_utc,
        arrays=arrays,
    )
