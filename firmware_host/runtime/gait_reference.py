"""The wearer's gait references in the vault: one for each place on the body, the newest there in force."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.config import DEFAULT_PLACEMENT
from firmware_host.errors import VaultError
from firmware_host.identity.enrolment import Enrolled
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import Bundle
from firmware_host.runtime.gait_path import WalkingReference, reference
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault

_LOGGER = logging.getLogger(__name__)

GAIT_KIND = "gait_reference"
# Alone it is the older form, one reference for all; with ".wrist" or ".pocket" the one of that place.
GAIT_POINTER = "gait_reference"


def gait_pointer(placement: str) -> str:
    """Name that points at the reference in force of one placement."""
    return f"{GAIT_POINTER}.{placement}"


def put_walking(
    vault: Vault, enrolled: Enrolled, bundle: Bundle, *, placement: str, now_utc: float
) -> int:
    """Store a wearer's gait reference and put it in force where it was worn, and only there."""
    arrays: dict[str, NDArray[np.float32]] = {"template": enrolled.template}
    arrays |= {f"adapter/{name}": value for name, value in enrolled.adapter.items()}
    meta = {
        "bundle_sha256": bundle.sha256,
        "placement": placement,
        "threshold": enrolled.threshold,
        "n_windows": enrolled.n_windows,
    }
    with vault.transaction():
        record_id = vault.put(GAIT_KIND, pack(arrays, meta), now_utc)
        vault.set_pointer(gait_pointer(placement), record_id)
        older_id = vault.pointer(GAIT_POINTER)
        if older_id is not None and _placement_of(vault, older_id) == placement:
            vault.set_pointer(GAIT_POINTER, None)
    return record_id


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
    arrays, meta = unpack(vault.get(references[placement]).payload)
    if meta.get("bundle_sha256") != bundle.sha256:
        _LOGGER.warning(
            "who walks is not told: the gait reference for the %s was made with another bundle; "
            "enrol gait again (signet enrol gait --placement %s)",
            placement,
            placement,
        )
        return None
    adapter = {
        name.removeprefix("adapter/"): value
        for name, value in arrays.items()
        if name.startswith("adapter/")
    }
    model.run("set_adapter", **adapter)
    return reference(bundle, placement, threshold=float(meta["threshold"]))


def _placement_of(vault: Vault, record_id: int) -> str:
    """Where a reference of the older form was made; the first ones were of the wrist and did not say."""
    try:
        meta = unpack(vault.get(record_id).payload)[1]
    except VaultError:
        return DEFAULT_PLACEMENT
    return str(meta.get("placement", DEFAULT_PLACEMENT))
