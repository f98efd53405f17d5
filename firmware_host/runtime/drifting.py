"""The drift monitor's memory in the vault: what a run adds to it, and what no longer fits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from firmware_host.adaptation import ledger
from firmware_host.adaptation.drift import QUANTITIES, DriftState, Misfit, Part, Track
from firmware_host.adaptation.rest import REVERTED
from firmware_host.adaptation.samples import Rest, load_rests
from firmware_host.errors import VaultError
from firmware_host.events import State
from firmware_host.runtime.baseline import FRESH_S
from firmware_host.runtime.gait_reference import anchor_of, gait_references
from firmware_host.signals.stress import FEATURE_NAMES
from firmware_host.vault.pack import pack, unpack
from firmware_host.vault.records import Vault

DRIFT_KIND = "drift_state"
# Of the last days, should somebody ask how an alarm came about.
_MAX_STATES = 60
# Fewer say nothing of a day: ten minutes of windows that could have been read, a minute of walking.
_MIN_WINDOWS, _MIN_WALKING = 60, 23
_REST_PARTS = {Part.PULSE_SENSOR, Part.SKIN_SENSOR, Part.REST, Part.SIGNAL}
_OF_REST = (
    "log_pulse_amplitude",
    "bvp_quality",
    "log_eda_level",
    "hr_median_bpm",
    "log_rmssd",
)
_UNREADABLE = (State.NOT_WORN.value, State.LEARNING_BASELINE.value)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run saw: windows by state, sum and number of verification scores, where it was worn."""

    states: Counter[str]
    gait_sum: float
    n_gait: int
    placement: str

    def values(self, enrolment: tuple[str, int] | None) -> dict[str, float]:
        """Of a day, as far as there was enough of it; walks count where they were enrolled."""
        found = {}
        n_worn = sum(n for state, n in self.states.items() if state not in _UNREADABLE)
        if n_worn >= _MIN_WINDOWS:
            found["poor_share"] = self.states[State.POOR_SIGNAL.value] / n_worn
        is_there = enrolment is not None and enrolment[0] == self.placement
        if is_there and self.n_gait >= _MIN_WALKING:
            found["gait_score"] = self.gait_sum / self.n_gait
        return found


@dataclass(frozen=True, slots=True)
class _Memory:
    """The monitor's state with what it was last told of: rest, its line, walking enrolment, run."""

    state: DriftState
    rest_id: int = 0
    line_id: int | None = None
    anchor_id: int | None = None
    run_utc: float | None = None


def misfits(vault: Vault) -> list[Misfit]:
    """What no longer fits, as of the last run."""
    return _renewed(_load(vault), vault).state.misfits()


def watch_run(
    vault: Vault, facts: RunFacts, *, now_utc: float, begun_utc: float | None = None
) -> list[Misfit]:
    """Add a day that ended; returns what no longer fits and did fit until now.

    Parameters
    ----------
    begun_utc
        When what the facts tell of began; None: now.
    """
    before = _renewed(_load(vault), vault)
    taken_back = _taken_back(vault)
    rests = [
        rest for rest in load_rests(vault) if rest.id > before.rest_id and rest.id not in taken_back
    ]
    state = before.state
    # A label may have replaced the rest that the day began with: both count since the same time.
    for rest in {rest.since_utc: rest for rest in rests}.values():
        state = state.day(_of_rest(rest))
    run_utc = before.run_utc
    day_utc = now_utc if begun_utc is None else begun_utc
    if run_utc is None or abs(day_utc - run_utc) >= FRESH_S:
        values = facts.values(_newest_enrolment(vault))
        state, run_utc = state.day(values), day_utc if values else run_utc
    newest = max((rest.id for rest in rests), default=before.rest_id)
    after = _Memory(state, newest, before.line_id, before.anchor_id, run_utc)
    vault.put(DRIFT_KIND, _payload(after), now_utc)
    vault.prune(DRIFT_KIND, max_records=_MAX_STATES)
    known = {misfit.part for misfit in before.state.misfits()}
    return [misfit for misfit in state.misfits() if misfit.part not in known]


def _taken_back(vault: Vault) -> set[int]:
    """Rests that were gone back from, and the copies of earlier ones that took their place."""
    steps = [e.facts for e in ledger.entries(vault) if e.facts.get("what") == REVERTED]
    return {int(facts[key]) for facts in steps for key in ("from_id", "baseline_id")}


def _of_rest(rest: Rest) -> dict[str, float]:
    center = rest.baseline.center
    return {name: float(center[FEATURE_NAMES.index(name)]) for name in _OF_REST}


def _renewed(memory: _Memory, vault: Vault) -> _Memory:
    """Without what the wearer enrolled anew since."""
    rests = load_rests(vault)
    line_id = rests[-1].line_id if rests else memory.line_id
    state, rest_id = memory.state, memory.rest_id
    if line_id != memory.line_id:
        state = state.renewed(_REST_PARTS)
        # Of another line is another kind of rest: what came before it is no comparison.
        rest_id = max(rest_id, min((r.id for r in rests if r.line_id == line_id), default=1) - 1)
    newest = _newest_enrolment(vault)
    anchor_id = memory.anchor_id if newest is None else newest[1]
    if anchor_id != memory.anchor_id:
        state = state.renewed({Part.GAIT})
    return _Memory(state, rest_id, line_id, anchor_id, memory.run_utc)


def _newest_enrolment(vault: Vault) -> tuple[str, int] | None:
    """Where the wearer was enrolled last, and the record; walks elsewhere are not watched."""
    try:
        found = {place: anchor_of(vault, place) for place in gait_references(vault)}
    except VaultError:
        return None
    ids = {place: anchored[0] for place, anchored in found.items() if anchored is not None}
    return max(ids.items(), key=lambda item: item[1], default=None)


def _payload(memory: _Memory) -> bytes:
    tracks = {
        name: [track.n_days, track.mean, track.above, track.below]
        for name, track in memory.state.tracks.items()
    }
    return pack(
        {},
        {
            "tracks": tracks,
            "rest_id": memory.rest_id,
            "line_id": memory.line_id,
            "anchor_id": memory.anchor_id,
            "run_utc": memory.run_utc,
        },
    )


def _load(vault: Vault) -> _Memory:
    try:
        record = vault.latest(DRIFT_KIND)
        meta = {} if record is None else unpack(record.payload)[1]
    except VaultError:
        # It begins anew: nothing else rests on it.
        vault.damaged.add("drift state")
        meta = {}
    if not meta:
        return _Memory(DriftState())
    # Another release may watch other numbers.
    tracks = {name: Track(*v) for name, v in meta["tracks"].items() if name in QUANTITIES}
    return _Memory(
        DriftState(tracks), meta["rest_id"], meta["line_id"], meta["anchor_id"], meta["run_utc"]
    )
