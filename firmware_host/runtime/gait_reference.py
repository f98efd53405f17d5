"""The wearer's gait references in the vault: one for each place on the body, the newest there in force."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation import ledger
from firmware_host.config import DEFAULT_PLACEMENT
from firmware_host.errors import AdaptationError, AdaptationReason, VaultError
from firmware_host.identity.enrolment import Enrolled
from firmware_host.identity.verification import Anchor
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import Bundle
from firmware_host.runtime.gait_path import WalkingReference, reference
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault

_LOGGER = logging.getLogger(__name__)

GAIT_KIND = "gait_reference"
# Alone it is the older form, one reference for all; with ".wrist" or ".pocket" the one of that place.
GAIT_POINTER = "gait_reference"

# Of the ledger: what was learned before it is not learned from again.
GAIT_REVERTED = "revert_gait"


def gait_pointer(placement: str) -> str:
    """Name that points at the reference in force of one placement."""
    return f"{GAIT_POINTER}.{placement}"


def put_walking(
    vault: Vault,
    enrolled: Enrolled,
    bundle: Bundle,
    *,
    placement: str,
    now_utc: float,
    after_id: int | None = None,
) -> int:
    """Store a wearer's gait reference and put it in force where it was worn, and only there.

    ``after_id`` is the reference that it was made from, for one that follows the wearer.
    """
    arrays: dict[str, NDArray[np.float32]] = {"template": enrolled.template}
    arrays |= {f"adapter/{name}": value for name, value in enrolled.adapter.items()}
    meta: dict[str, Any] = {
        "bundle_sha256": bundle.sha256,
        "placement": placement,
        "threshold": enrolled.threshold,
        "n_windows": enrolled.n_windows,
    }
    if after_id is None:
        arrays["features"] = enrolled.features
    else:
        meta |= {"after_id": after_id, "anchor_id": _anchor_id(vault, after_id)}
    with vault.transaction():
        record_id = vault.put(GAIT_KIND, pack(arrays, meta), now_utc)
        vault.set_pointer(gait_pointer(placement), record_id)
        older_id = vault.pointer(GAIT_POINTER)
        if older_id is not None and _placement_of(vault, older_id) == placement:
            vault.set_pointer(GAIT_POINTER, None)
    return record_id


def stored_reference(vault: Vault, record_id: int) -> Enrolled:
    """A reference as it is stored, with the windows it was made of if it was enrolled.

    Raises
    ------
    VaultError
        If the record is damaged.
    """
    arrays, meta = unpack(vault.get(record_id).payload)
    adapter = {
        name.removeprefix("adapter/"): value
        for name, value in arrays.items()
        if name.startswith("adapter/")
    }
    # The first releases kept less.
    none = np.zeros((0, 0), np.float32)
    return Enrolled(
        arrays.get("template", none),
        adapter,
        float(meta["threshold"]),
        int(meta.get("n_windows", 0)),
        arrays.get("features", none),
    )


def anchor_of(vault: Vault, placement: str) -> tuple[int, Enrolled] | None:
    """The reference as it was enrolled that the one in force at a placement goes back to."""
    record_id = gait_references(vault).get(placement)
    if record_id is None:
        return None
    anchor_id = _anchor_id(vault, record_id)
    return anchor_id, stored_reference(vault, anchor_id)


def revert_gait(vault: Vault, placement: str, *, now_utc: float) -> int:
    """Go back to the reference that the one in force was made from; returns its record.

    Nothing is deleted, and the ledger says that it happened.

    Raises
    ------
    AdaptationError
        `no_data` if the one in force is as it was enrolled, or nobody is enrolled there.
    """
    record_id = gait_references(vault).get(placement)
    after_id = gait_facts(vault, placement).get("after_id")
    if record_id is None or after_id is None:
        had = "nobody enrolled" if record_id is None else "the reference as it was enrolled"
        msg = f"gait, {placement}: expected a later reference to go back from, got {had}"
        raise AdaptationError(AdaptationReason.NO_DATA, msg)
    facts = {"what": GAIT_REVERTED, "placement": placement}
    with vault.transaction():
        vault.set_pointer(gait_pointer(placement), int(after_id))
        ledger.append(
            vault, {**facts, "from_id": record_id, "to_id": int(after_id)}, now_utc=now_utc
        )
    return int(after_id)


def gait_references(vault: Vault) -> dict[str, int]:
    """Where the wearer is enrolled: placement -> id of the record in force, by name."""
    found = {}
    prefix = gait_pointer("")
    # Sorted by name, so the older form comes first and gives way to one of its own placement.
    for name, record_id in vault.pointers().items():
        if name == GAIT_POINTER:
            found[_placement_of(vault, record_id)] = record_id
        elif name.startswith(prefix):
            found[name.removeprefix(prefix)] = record_id
    return dict(sorted(found.items()))


def gait_facts(vault: Vault, placement: str) -> Mapping[str, Any]:
    """What is noted with the reference of a placement; nothing if there is none or it is damaged."""
    record_id = gait_references(vault).get(placement)
    if record_id is None:
        return {}
    try:
        return unpack(vault.get(record_id).payload)[1]
    except VaultError:
        vault.damaged.add(f"record {record_id}")
        return {}


def load_walking(
    vault: Vault, bundle: Bundle, model: SignatureModel, placement: str
) -> WalkingReference | None:
    """The reference in force at a placement, with its adapter put into ``model``.

    None if nobody is enrolled. None with a warning if the wearer is enrolled elsewhere only, where
    a walk looks another, or with another bundle, whose features are others.

    Raises
    ------
    VaultError
        If the record is damaged.
    """
    references = gait_references(vault)
    if placement not in references:
        if references:
            _LOGGER.warning(
                "who walks is not told: the wearer is enrolled for the %s, the board is worn at the "
                "%s; signet enrol gait --placement %s enrols there too",
                " and the ".join(references),
                placement,
                placement,
            )
        return None
    record_id = references[placement]
    meta = unpack(vault.get(record_id).payload)[1]
    if meta.get("bundle_sha256") != bundle.sha256:
        _LOGGER.warning(
            "who walks is not told: the gait reference for the %s was made with another bundle; "
            "enrol gait again (signet enrol gait --placement %s)",
            placement,
            placement,
        )
        return None
    current = stored_reference(vault, record_id)
    anchor_id, anchor = _anchor_id(vault, record_id), None
    if anchor_id != record_id:
        anchor = Anchor(model, stored_reference(vault, anchor_id).adapter, current.adapter)
    model.run("set_adapter", **current.adapter)
    return reference(bundle, placement, threshold=current.threshold, anchor=anchor)


def _anchor_id(vault: Vault, record_id: int) -> int:
    """The enrolment that a reference goes back to; itself if it was enrolled."""
    return int(unpack(vault.get(record_id).payload)[1].get("anchor_id", record_id))


def _placement_of(vault: Vault, record_id: int) -> str:
    """Where a reference of the older form was made; the first ones were of the wrist and did not say."""
    try:
        meta = unpack(vault.get(record_id).payload)[1]
    except VaultError:
        return DEFAULT_PLACEMENT
    return str(meta.get("placement", DEFAULT_PLACEMENT))
