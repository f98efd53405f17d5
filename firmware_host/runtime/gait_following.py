"""What a run keeps of sure walks, and the gait reference that is made of them when the band is off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation import ledger
from firmware_host.errors import EnrolmentError
from firmware_host.identity.self_update import (
    MAX_WALKS,
    MIN_APART_S,
    WALK_WINDOWS,
    Walk,
    distance,
    follow,
)
from firmware_host.inference.base import SignatureModel
from firmware_host.inference.contract import Bundle
from firmware_host.runtime.gait_path import WalkingReference, others
from firmware_host.runtime.gait_reference import (
    GAIT_REVERTED,
    anchor_of,
    gait_references,
    load_walking,
    put_walking,
)
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault

WALK_KIND = "gait_walk"


@dataclass(slots=True)
class GaitFollower:
    """Keeps at most one sure walk a day and, asked when nobody walks, learns from the latest.

    Parameters
    ----------
    model
        The gait network of the run, fixed to the placement; it holds what was learned afterwards.
    """

    vault: Vault
    bundle: Bundle
    model: SignatureModel
    placement: str
    seed: int
    _waiting: list[Walk] = field(default_factory=list)

    def take(self, walk: Walk) -> None:
        """A walk to learn from; the first one since the last look counts."""
        if not self._waiting:
            self._waiting.append(walk)

    def update(self, now_utc: float) -> bool:
        """Learn from the walk that waits, if the last one learned from is a day old; say whether.

        Afterwards the reference in force may be another one.
        """
        waiting, self._waiting = self._waiting, []
        anchored = anchor_of(self.vault, self.placement)
        if not waiting or anchored is None or len(anchored[1].features) == 0:
            return False
        anchor_id, anchor = anchored
        earlier = list(self._walks(anchor_id))
        if any(abs(now_utc - t_utc) < MIN_APART_S for t_utc, _ in earlier):
            return False
        walks = [features for _, features in earlier] + [waiting[0].features]
        background = others(self.bundle, self.placement)
        try:
            made = follow(
                self.model,
                anchor,
                walks,
                background.draw(seed=self.seed),
                fill=background.center,
                rng=np.random.default_rng(self.seed),
            )
        except EnrolmentError:
            made = None
        after_id = gait_references(self.vault)[self.placement]
        facts = {
            "what": "gait_self_update",
            "placement": self.placement,
            "seed": self.seed,
            "n_walks": min(len(walks), MAX_WALKS),
            "after_id": after_id,
            "anchor_id": anchor_id,
            "kept": made is not None,
        }
        if made is None:
            # Training may have left the model without any reference.
            self.reference()
            ledger.append(self.vault, facts, now_utc=now_utc)
            return False
        facts["distance"] = distance(made.adapter, anchor.adapter)
        with self.vault.transaction():
            self._put_walk(waiting[0], anchor_id, now_utc)
            record_id = put_walking(
                self.vault,
                made,
                self.bundle,
                placement=self.placement,
                now_utc=now_utc,
                after_id=after_id,
            )
            ledger.append(self.vault, {**facts, "reference_id": record_id}, now_utc=now_utc)
        return True

    def reference(self) -> WalkingReference | None:
        """The reference in force, put into the model."""
        return load_walking(self.vault, self.bundle, self.model, self.placement)

    def _walks(self, anchor_id: int) -> Iterator[tuple[float, NDArray[np.float32]]]:
        """Walks learned from since this enrolment and since the last way back, oldest first."""
        undone = ledger.latest(self.vault, what=GAIT_REVERTED)
        since_id = 0 if undone is None else undone.id
        for record in self.vault.iterate(WALK_KIND, since_id, skip_damaged=True):
            arrays, meta = unpack(record.payload)
            if meta.get("anchor_id") == anchor_id:
                yield record.t_utc, arrays["features"]

    def _put_walk(self, walk: Walk, anchor_id: int, now_utc: float) -> None:
        meta = {"anchor_id": anchor_id, "n_windows": WALK_WINDOWS}
        self.vault.put(WALK_KIND, pack({"features": walk.features}, meta), now_utc)
        # Of every place where the wearer is enrolled as many as count.
        n_places = len(gait_references(self.vault))
        self.vault.prune(WALK_KIND, max_records=MAX_WALKS * n_places)
