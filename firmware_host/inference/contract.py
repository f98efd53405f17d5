"""What a bundle promises and asks for, as frozen values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from firmware_host.errors import ContractError
from firmware_host.inference.base import FloatArray, Signature
from firmware_host.protocol.messages import Channel

# Pulse and skin conductance are read at the wrist; every person the stress model learned from wore it there.
STRESS_PLACEMENT = "wrist"


@dataclass(frozen=True, slots=True)
class ChannelNeed:
    """One channel that a model reads; an optional one may be absent but not wrong."""

    name: str
    unit: str
    min_rate_hz: float
    max_rate_hz: float
    axes: int
    optional: bool

    def problem_with(self, channel: Channel | None) -> str | None:
        """Say in a few words why this channel cannot serve, None if it can."""
        if channel is None:
            return None if self.optional else f"{self.name} is missing"
        if channel.unit != self.unit:
            return f"{self.name} comes in {channel.unit}, needed in {self.unit}"
        if not self.min_rate_hz <= channel.rate_hz <= self.max_rate_hz:
            return (
                f"{self.name} comes at {channel.rate_hz:g} Hz, "
                f"needed at {self.min_rate_hz:g} to {self.max_rate_hz:g} Hz"
            )
        if channel.axes != self.axes:
            return f"{self.name} has {channel.axes} axes, needed {self.axes}"
        return None


@dataclass(frozen=True, slots=True)
class ModelContract:
    """What both models have: a file, its inputs and outputs, and the windows they are fed.

    `features` are the names of the model's input vector in order, `labels` those of its classes;
    `thresholds` are dimensionless unless their name carries a unit. `backbone` is how what does not
    learn is stored: int8, nf4 (4 bits) or float. With an `int8_file` the model is in two: its
    frozen layers, which an accelerator can run, are there and the rest is in `file`.
    """

    name: str
    file: str
    channels: tuple[ChannelNeed, ...]
    features: tuple[str, ...]
    labels: tuple[str, ...]
    window_s: float
    hop_s: float
    smoothing_s: float
    thresholds: Mapping[str, float]
    signatures: Mapping[str, Signature]
    backbone: str = field(default="int8", kw_only=True)
    int8_file: str = field(default="", kw_only=True)

    def check_channels(self, channels: Iterable[Channel]) -> list[str]:
        """List what is missing, in the wrong unit or at the wrong rate; empty when all is well."""
        by_name = {channel.name: channel for channel in channels}
        problems = [need.problem_with(by_name.get(need.name)) for need in self.channels]
        return [problem for problem in problems if problem is not None]

    def require_channels(self, channels: Iterable[Channel]) -> None:
        """Refuse a board that cannot feed this model.

        Raises
        ------
        ContractError
            One line with every problem.
        """
        problems = self.check_channels(channels)
        if problems:
            raise ContractError(
                f"the {self.name} model cannot run on this board: {'; '.join(problems)}"
            )


@dataclass(frozen=True, slots=True)
class Normalisation:
    """How a feature vector becomes the model's input, given the wearer's baseline.

    `spread` (F,) is the typical within-person standard deviation, half of the divisor; `center`
    (F,) the typical rest, for saying how a wearer differs and for nothing else; `clip` bounds the
    result; a channel counts from 0 at `quality_ramp[0]` to 1 at `quality_ramp[1]`.
    """

    spread: tuple[float, ...]
    center: tuple[float, ...]
    clip: float
    quality_ramp: tuple[float, float]


@dataclass(frozen=True, slots=True)
class TimeControl:
    """What the clock alone would say: probability of stress by time since the session began.

    A personal or generic model that does not beat this table has learned the protocol.
    """

    t_s: tuple[float, ...]
    p_stress: tuple[float, ...]

    def probability(self, t_s: FloatArray) -> FloatArray:
        """Interpolate between the table's points; flat beyond its ends."""
        return np.interp(t_s, self.t_s, self.p_stress).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Calibration:
    """From smoothed log-odds to a probability: of ten windows told 0.3, three are stress.

    The network learns with rest and stress weighing the same; `offset` brings in how often people
    were under stress in the recordings, and `slope` how far to believe the network. Both stand here
    and not in the weights, so that what learning moves keeps its scale.
    """

    slope: float = 1.0
    offset: float = 0.0

    def probability(self, log_odds: float) -> float:
        """P(stress) of smoothed log-odds."""
        x = self.slope * log_odds + self.offset
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, x))))


@dataclass(frozen=True, slots=True)
class StressContract(ModelContract):
    """The stress model's part of the bundle; sustained effort is averaged over `effort_s`."""

    normalisation: Normalisation
    time_control: TimeControl
    calibration: Calibration
    effort_s: float


@dataclass(frozen=True, slots=True)
class GaitContract(ModelContract):
    """The gait model's part.

    `placements` are the places on the body where it can tell people, in the order of its one-hot
    input; `cohort` is the file of the people whom the personal head tells a wearer from.
    """

    placements: tuple[str, ...]
    cohort: str

    def limit(self, name: str, placement: str) -> float:
        """Threshold of one placement: `min_periodicity`, `verification`, `verification_margin`."""
        return self.thresholds[f"{placement}_{name}"]


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file of the bundle as it was written."""

    sha256: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model bundle whose files were all checked.

    `sha256` is that of bundle.toml, which holds the hashes of everything else: it names this
    bundle and nothing else. `recordings` is "dataset/participant" -> hash of what was trained on.
    """

    path: Path
    name: str
    version: str
    seed: int
    stress: StressContract
    gait: GaitContract
    files: Mapping[str, BundleFile]
    recordings: Mapping[str, str]
    sha256: str

    @property
    def label(self) -> str:
        """Name and version, as the folder is called."""
        return f"{self.name}-{self.version}"

    @property
    def stored(self) -> str:
        """How the weights are stored that do not learn, in a few words for people."""
        models = (self.stress, self.gait)
        return ", ".join(
            f"{m.name} {m.backbone}{' in two files' if m.int8_file else ''}" for m in models
        )

    def check_channels(self, channels: Iterable[Channel]) -> dict[str, list[str]]:
        """Problems by model; a model with an empty list can run."""
        board = list(channels)
        return {m.name: m.check_channels(board) for m in (self.stress, self.gait)}

    def cohort(self) -> dict[str, FloatArray]:
        """Load the background people, name -> array."""
        return self._arrays(self.gait.cohort)

    def golden(self) -> dict[str, FloatArray]:
        """Load the inputs and outputs that every runtime must reproduce, name -> array."""
        return self._arrays("golden.npz")

    def _arrays(self, file: str) -> dict[str, FloatArray]:
        with np.load(self.path / file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
