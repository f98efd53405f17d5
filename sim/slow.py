"""Slow processes: values at whole seconds, carried from one piece of the day to the next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class SlowState:
    """Named first-order processes; each call continues where the last one stopped.

    Every method returns (n_s + 1,) values at the whole seconds from the start of the piece to its
    end, so that neighbouring pieces share a value and interpolation has no seam.
    """

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def relax(self, name: str, target: Floats, *, up_s: float, down_s: float) -> Floats:
        """Follow ``target`` (n_s,) exponentially, faster or slower up than down."""
        value = self._last.get(name, float(target[0]))
        k_up, k_down = -math.expm1(-1.0 / up_s), -math.expm1(-1.0 / down_s)
        out = [value]
        for goal in target.tolist():
            value += (k_up if goal > value else k_down) * (goal - value)
            out.append(value)
        self._last[name] = value
        return np.array(out)

    def wander(self, name: str, normals: Floats, *, tau_s: float, sd: float) -> Floats:
        """Red noise of standard deviation ``sd`` and memory ``tau_s``, from (n_s,) normals."""
        keep = math.exp(-1.0 / tau_s)
        kick = sd * math.sqrt(1.0 - keep * keep)
        value = self._last.get(name, sd * float(normals[0]))
        out = [value]
        for normal in normals.tolist():
            value = keep * value + kick * normal
            out.append(value)
        self._last[name] = value
        return np.array(out)

    def swing(self, name: str, normals: Floats, *, freq_hz: float, tau_s: float) -> Floats:
        """Narrow-band noise around ``freq_hz`` with unit variance, from (2, n_s) normals."""
        keep = math.exp(-1.0 / tau_s)
        kick = math.sqrt(1.0 - keep * keep)
        cos, sin = keep * math.cos(math.tau * freq_hz), keep * math.sin(math.tau * freq_hz)
        re, im = self._last.get(name, 0.0), self._last.get(name + ".im", 0.0)
        out = [re]
        for a, b in normals.T.tolist():
            re, im = cos * re - sin * im + kick * a, sin * re + cos * im + kick * b
            out.append(re)
        self._last[name], self._last[name + ".im"] = re, im
        return np.array(out)


def between(nodes: Floats, *, rate_hz: int) -> Floats:
    """Straight lines between values at whole seconds: (n_s + 1,) to (n_s * rate_hz,)."""
    n_s = len(nodes) - 1
    return np.interp(np.arange(n_s * rate_hz) / rate_hz, np.arange(n_s + 1), nodes)
