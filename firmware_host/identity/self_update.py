"""Let a gait reference follow its wearer: on proof only, and never far from how it was enrolled.

What is enrolled stays as it was: the anchor. A later reference is made from the enrolment's own
windows and from a few recent walks, and answers together with the anchor, which may veto. Walks
count while the band stayed on the skin since a minute of walking that left no doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from firmware_host.identity.enrolment import Enrolled, enrol
from firmware_host.identity.verification import N_WINDOWS, Verification
from firmware_host.identity.walking import EmbeddingModel, FloatArray, fill_missing
from firmware_host.signals.gait import HOP_S, WINDOW_S, GaitWindow

# A minute of walking, as long as an enrolment.
WALK_WINDOWS = round((60.0 - WINDOW_S) / HOP_S) + 1
# Scores are in standard deviations of others' scores. So far above the threshold a walk leaves no
# doubt; other people's walks that were above it by chance stayed below this.
SURE = 1.0
# At least this share of what is learned from are the enrolment's own windows.
ANCHOR_SHARE = 0.5
# So many recent walks count, one a day.
MAX_WALKS = 3
MIN_APART_S = 20 * 3600.0
# Largest change of the head against the anchor's, as a share of its length.
MAX_DISTANCE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """A minute of the wearer's walking: (n, F) features, and when it ended."""

    features: FloatArray
    t_s: float


class WalkWatch:
    """Finds walks to learn from: sure from end to end, in a wear that was proved before.

    Parameters
    ----------
    limit
        Score that every running mean of such a walk must reach, by the reference in force and by
        the anchor alike.
    """

    def __init__(self, *, limit: float) -> None:
        self._limit = limit
        self._rows: list[FloatArray] = []
        self._on_skin = False
        self.is_proved = False

    def contact(self, *, is_on: bool) -> None:
        """The band is on the skin, or not: taken off, whoever puts it on must prove himself."""
        if not is_on:
            self.forget()
        self._on_skin = is_on

    def forget(self) -> None:
        """Nothing is known of who wears the band: taken off, restarted, another board."""
        self._rows.clear()
        self._on_skin = self.is_proved = False

    def add(self, window: GaitWindow, result: Verification) -> Walk | None:
        """Take a verified window; the walk that it completes, if that is one to learn from."""
        if not result.used or not self._on_skin:
            return None
        if not self._is_sure(result):
            # One doubtful moment, and what was collected may be somebody else's.
            self._rows.clear()
            self.is_proved = self.is_proved and not self._is_another(result)
            return None
        self._rows.append(window.features())
        if len(self._rows) < WALK_WINDOWS:
            return None
        rows, self._rows = np.stack(self._rows), []
        if not self.is_proved:
            self.is_proved = True
            return None
        return Walk(rows, window.t_end_s)

    def _is_sure(self, result: Verification) -> bool:
        lowest = min(result.score, result.anchor_score)
        return result.n_windows >= N_WINDOWS and lowest >= self._limit

    def _is_another(self, result: Verification) -> bool:
        """Half a minute below the limit less twice what makes sure: the proof is of somebody else."""
        return result.n_windows >= N_WINDOWS and result.score < self._limit - 2.0 * SURE


def follow(
    model: EmbeddingModel,
    anchor: Enrolled,
    walks: Sequence[FloatArray],
    cohort: FloatArray,
    *,
    fill: FloatArray,
    rng: np.random.Generator,
) -> Enrolled | None:
    """A reference from the enrolment's windows and these walks, oldest first; None if it is no good.

    The model keeps what comes out, or what it held. No good is one that would not know the
    enrolment's own windows any more.

    Parameters
    ----------
    anchor
        As it was enrolled, with its windows.
    walks
        (n, F) each; the last `MAX_WALKS` count.

    Raises
    ------
    EnrolmentError
        If training did not end in finite values; the model is reset then.
    """
    held = model.run("get_adapter")
    made = enrol(
        model,
        _rows(anchor.features, walks[-MAX_WALKS:]),
        cohort,
        threshold=anchor.threshold,
        fill=fill,
        rng=rng,
    )
    adapter = _bounded(made.adapter, anchor.adapter)
    model.run("set_adapter", **adapter)
    own = fill_missing(anchor.features, fill)
    score = np.mean([model.run("embed", features=row[None])["score"][0, 0] for row in own])
    if score < anchor.threshold + SURE:
        model.run("set_adapter", **held)
        return None
    return replace(made, adapter=adapter, features=anchor.features)


def distance(adapter: Mapping[str, FloatArray], anchor: Mapping[str, FloatArray]) -> float:
    """How far a head is from the anchor's, as a share of the anchor's length."""
    length = float(np.linalg.norm(anchor["head_w"]))
    return float(np.linalg.norm(adapter["head_w"] - anchor["head_w"])) / max(length, 1e-12)


def _rows(enrolment: FloatArray, walks: Sequence[FloatArray]) -> FloatArray:
    """The enrolment's windows as often as it takes to be `ANCHOR_SHARE` of all, and the walks'."""
    recent = np.concatenate(walks)
    wanted = ANCHOR_SHARE / (1.0 - ANCHOR_SHARE) * len(recent)
    copies = max(1, round(wanted / len(enrolment)))
    return np.concatenate([enrolment] * copies + [recent]).astype(np.float32)


def _bounded(
    adapter: Mapping[str, FloatArray], anchor: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """The adapter, its head drawn back to `MAX_DISTANCE` of the anchor's if it is farther."""
    share = np.float32(min(1.0, MAX_DISTANCE / max(distance(adapter, anchor), 1e-12)))
    drawn = {
        name: anchor[name] + share * (adapter[name] - anchor[name]) for name in ("head_w", "head_b")
    }
    return {**adapter, **drawn}
