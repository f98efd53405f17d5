"""Going back to the rest before the one in force."""

from __future__ import annotations

from firmware_host.adaptation import ledger
from firmware_host.adaptation.samples import Rest, load_rests, put_baseline, rest_in_force
from firmware_host.errors import AdaptationError, AdaptationReason
from firmware_host.vault.records import Vault

REVERTED = "revert_baseline"


def revert_rest(vault: Vault, *, now_utc: float) -> Rest:
    """Put the rest before the one in force in its place, for the same time; returns that earlier one.

    It is stored as a new record, so nothing is deleted; done twice, it is as before.

    Raises
    ------
    AdaptationError
        `no_data` if there is no earlier one.
    """
    current = rest_in_force(vault)
    earlier = [] if current is None else [r for r in load_rests(vault) if r.id < current.id]
    if current is None or not earlier:
        msg = "baseline: expected an earlier one to go back to, found none"
        raise AdaptationError(AdaptationReason.NO_DATA, msg)
    before = earlier[-1]
    with vault.transaction():
        copy_id = put_baseline(
            vault,
            before.baseline,
            now_utc=now_utc,
            since_utc=current.since_utc,
            line_id=before.line_id,
        )
        facts = {"what": REVERTED, "from_id": current.id, "to_id": before.id}
        ledger.append(vault, {**facts, "baseline_id": copy_id}, now_utc=now_utc)
    return before
