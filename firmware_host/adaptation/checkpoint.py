"""A job's checkpoint: one encrypted record, written anew in its place every few steps.

It holds what the weights, the momentum and the partial results are, so it is as personal as an
adapter. A cut while it is written leaves the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from firmware_host.adaptation.budget import Used
from firmware_host.adaptation.choice import Learned
from firmware_host.adaptation.job_state import JobState
from firmware_host.vault.pack import Arrays, pack, unpack
from firmware_host.vault.records import Vault

JOB_CHECKPOINT_KIND = "job_checkpoint"
# What a job depends on, in words: with another value of any of these it is another job.
INPUTS = {
    "data_sha256": "the labels, the windows or the baseline",
    "bundle_sha256": "the model bundle",
    "runtime": "the runtime",
    "recipe_sha256": "the settings",
    "adapter_id": "the adapter in force",
    "signet": "the version of Signet",
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A stored one: its record, what its job depended on, where it stood, what it had used."""

    id: int
    t_utc: float
    inputs: Mapping[str, Any]
    state: JobState
    used: Used

    def changed(self, inputs: Mapping[str, Any]) -> list[str]:
        """Which inputs are others now, in words."""
        return [words for key, words in INPUTS.items() if self.inputs.get(key) != inputs[key]]


def has_unfinished(vault: Vault) -> bool:
    """Whether a job waits to be gone on with."""
    return vault.count(JOB_CHECKPOINT_KIND) > 0


def load(vault: Vault) -> Checkpoint | None:
    """Open the newest checkpoint that opens; None if there is none."""
    found = None
    for record in vault.iterate(JOB_CHECKPOINT_KIND, skip_damaged=True):
        arrays, meta = unpack(record.payload)
        found = Checkpoint(
            record.id, record.t_utc, meta["inputs"], _state(arrays, meta), Used(**meta["used"])
        )
    return found


def drop(vault: Vault) -> None:
    """Delete whatever checkpoint there is; belongs inside the transaction that makes it useless."""
    vault.prune(JOB_CHECKPOINT_KIND, max_records=0)


class Keeper:
    """Keeps the checkpoint of one job in one record, so that ids do not depend on how often.

    Without `found` the first `save` makes the record, and removes what is left of others.
    """

    def __init__(
        self, vault: Vault, inputs: Mapping[str, Any], found: Checkpoint | None, *, now_utc: float
    ) -> None:
        self._vault, self._inputs, self._now_utc = vault, dict(inputs), now_utc
        self._id = None if found is None else found.id

    def save(self, state: JobState, used: Used, *, durable: bool) -> None:
        """Write where the job stands.

        Without `durable` nobody waits for the disk: a power cut may take the last few, in order,
        and the job goes on from an older one.
        """
        payload = _payload(self._inputs, state, used)
        if self._id is not None:
            self._vault.replace(
                self._id, JOB_CHECKPOINT_KIND, payload, self._now_utc, durable=durable
            )
            return
        with self._vault.transaction(durable=durable):
            drop(self._vault)
            self._id = self._vault.put(JOB_CHECKPOINT_KIND, payload, self._now_utc, durable=durable)


def _payload(inputs: Mapping[str, Any], state: JobState, used: Used) -> bytes:
    arrays: Arrays = {
        "loss_before": np.array(state.loss_before),
        "p_generic": state.p_generic,
        "p_current": state.p_current,
        "margins_generic": state.margins_generic,
    }
    arrays |= {f"adapter.{name}": value for name, value in (state.adapter or {}).items()}
    failed = {}
    for (candidate, turn), learned in state.learned.items():
        key = f"{candidate}.{turn}"
        arrays[f"p.{key}"] = learned.p_stress
        arrays[f"margins.{key}"] = learned.margins
        # As arrays: a loss that does not exist is NaN, which plain JSON cannot hold.
        arrays[f"loss.{key}"] = np.array([learned.loss_before, learned.loss_after])
        failed[key] = learned.failed
    meta = {
        "inputs": inputs,
        "used": asdict(used),
        "n_steps": state.n_steps,
        "task": state.task,
        "step": state.step,
        "failed": failed,
    }
    return pack(arrays, meta)


def _state(arrays: Arrays, meta: Mapping[str, Any]) -> JobState:
    adapter = {
        name.removeprefix("adapter."): value
        for name, value in arrays.items()
        if name.startswith("adapter.")
    }
    learned = {}
    for key, failed in meta["failed"].items():
        candidate, turn = map(int, key.split("."))
        before, after = arrays[f"loss.{key}"].tolist()
        p_stress, margins = arrays[f"p.{key}"], arrays[f"margins.{key}"]
        learned[candidate, turn] = Learned(p_stress, before, after, failed, margins)
    return JobState(
        meta["n_steps"],
        meta["task"],
        meta["step"],
        float(arrays["loss_before"]),
        adapter or None,
        arrays["p_generic"],
        arrays["p_current"],
        arrays["margins_generic"],
        learned,
    )
