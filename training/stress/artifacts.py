"""The stress half of a bundle: training's plain arrays in the shape the exporter takes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from models.stress import StressWeights, with_adapters
from training.bundle.artifacts import Recordings, StressArtifacts, merged
from training.metrics import interval_over_people
from training.stress.recipe import DEFAULT_SEED
from training.stress.time_control import BIN_S
from training.stress.train import TrainedStress, train_stress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

N_GOLDEN = 8
BARELY_BETTER_THAN_CHANCE = 0.6


def train_stress_artifacts(
    data_dir: Path,
    seed: int = DEFAULT_SEED,
    hold_out: Iterable[str] = (),
    *,
    cache_dir: Path | None = None,
) -> StressArtifacts:
    """Train on every person in `data_dir` but those held out ("dataset/participant").

    Raises
    ------
    RecordingError
        If nobody is left to train on.
    """
    trained = train_stress(data_dir, seed, hold_out=hold_out, cache_dir=cache_dir)
    rng = np.random.default_rng([seed, 1])
    return StressArtifacts(
        weights=stress_weights(trained.weights, rng),
        feature_names=trained.feature_names,
        spread=trained.spread.astype(np.float32),
        center=trained.center.astype(np.float32),
        thresholds=threshold_table(trained),
        smoothing_s=trained.thresholds.ema_s,
        effort_s=trained.thresholds.effort_s,
        calibration=asdict(trained.calibration),
        time_control=_time_control(trained),
        # Drawn, not recorded: a bundle carries nobody's minutes.
        golden_x=rng.normal(0.0, 1.5, (N_GOLDEN, len(trained.feature_names))).astype(np.float32),
        recordings=Recordings(
            _recordings(trained.trained_on),
            tuple(trained.held_out),
        ),
        figures=figure_rows(trained),
    )


def stress_weights(arrays: Mapping[str, np.ndarray], rng: np.random.Generator) -> StressWeights:
    """Turn (in, out) matrices around and attach adapters that change nothing yet."""
    dense = {
        "dense1_w": np.ascontiguousarray(arrays["w1"].T),
        "dense1_b": arrays["b1"],
        "dense2_w": np.ascontiguousarray(arrays["w2"].T),
        "dense2_b": arrays["b2"],
        "head_w": np.ascontiguousarray(arrays["head_w"].T),
        "head_b": arrays["head_b"],
    }
    return with_adapters(rng, dense)


def threshold_table(trained: TrainedStress) -> dict[str, float]:
    """Thresholds under the names the host looks up."""
    t = trained.thresholds
    return {
        "stress": t.stress,
        "unsure_low": round(t.stress - t.unsure_band, 4),
        "unsure_high": round(t.stress + t.unsure_band, 4),
        "min_quality": t.quality_min,
        "min_pulse_quality": t.pulse_min,
        "max_motion_ms2": t.moving_ms2,
        "max_effort_ms2": t.effort_ms2,
    }


def figure_rows(trained: TrainedStress) -> dict[str, str]:
    """Rows of the card; every figure leaves the scored person out of training."""
    rows = {}
    for name, f in trained.figures.items():
        rows[f"stress, {name}: balanced accuracy, mean ± SD over {f['n_people']} people"] = (
            f"{f['balanced_accuracy']:.3f} ± {f['balanced_accuracy_sd']:.3f}"
        )
        rows[f"stress, {name}: 95 % interval of that mean over people"] = _interval(f)
        rows[f"stress, {name}: worst person"] = f"{f['worst']:.3f}"
        rows[f"stress, {name}: whom it fails, below 0.6"] = _failed(f)
        rows[f"stress, {name}: AUC"] = f"{f['auc']:.3f}"
        rows[f"stress, {name}: calibration error"] = f"{f['ece']:.3f}"
        rows[f"stress, {name}: the clock alone"] = f"{f['time_only_balanced_accuracy']:.3f}"
        for other in trained.figures:
            if (transfer := f.get(f"trained_on_{other}")) is not None:
                rows[f"stress, {name}: trained on {other} only"] = (
                    f"{transfer['balanced_accuracy']:.3f}"
                )
    return rows | _decision_rows(trained)


def _interval(figures: dict[str, Any]) -> str:
    found = interval_over_people([one["balanced_accuracy"] for one in figures["participants"]])
    return "one person only" if found is None else f"{found[0]:.3f} to {found[1]:.3f}"


def _failed(figures: dict[str, Any]) -> str:
    names = [
        one["person"].partition("/")[2]
        for one in figures["participants"]
        if one["balanced_accuracy"] < BARELY_BETTER_THAN_CHANCE
    ]
    return f"{len(names)} of {figures['n_people']}: {', '.join(names)}" if names else "nobody"


def _decision_rows(trained: TrainedStress) -> dict[str, str]:
    rows = {}
    for name, d in trained.decisions.items():
        rows[f"stress, {name}: windows answered; stress called stress"] = (
            f"{d['coverage']:.0%}; {d['stress_recall']:.0%}"
        )
        if d["exercise_called_stress"] is not None:
            rows[f"stress, {name}: exercise called stress, mean; worst session; without rule"] = (
                f"{d['exercise_called_stress']:.0%}; {d['exercise_called_stress_worst']:.0%}; "
                f"{d['exercise_without_gate']:.0%}"
            )
            rows[f"stress, {name}: exercise called exercise; rest or stress called exercise"] = (
                f"{d['exercise_recall']:.0%}; {d['lab_called_exercise']:.0%}"
            )
    return rows


def _time_control(trained: TrainedStress) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the table's minutes and P(stress) there, for the host to interpolate."""
    t_s = (np.arange(len(trained.time_table)) + 0.5) * BIN_S
    return t_s.astype(np.float32), trained.time_table.astype(np.float32)


def _recordings(trained_on: list[dict[str, str]]) -> dict[str, str]:
    """Hash by person; further recordings of somebody, exercise too, carry a number."""
    found: dict[str, str] = {}
    for recording in trained_on:
        found = merged(found, {recording["person"]: recording["content_sha256"]})
    return found
