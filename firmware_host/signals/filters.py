"""Causal Butterworth filters as second-order sections, without scipy.

Each sample goes through the same additions in the same order whatever the chunk it came in, so the
output is equal bit for bit for any chunking. A plain loop costs about 0.1 µs a sample and section,
which a wearable's rates make cheap; importing scipy.signal would cost 63 MB of memory.
"""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Section(NamedTuple):
    """One biquad, a0 = 1: y = (b0 + b1 z^-1 + b2 z^-2) / (1 + a1 z^-1 + a2 z^-2) x."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float


def butter_lowpass(order: int, cutoff_hz: float, *, sample_rate_hz: float) -> list[Section]:
    """Low-pass with -3 dB at `cutoff_hz`; `order` must be even.

    References
    ----------
    Oppenheim, Schafer: Discrete-Time Signal Processing, 3rd ed., 7.2 (bilinear transform).
    """
    _check_band(order, cutoff_hz, sample_rate_hz)
    warped = _warp(cutoff_hz, sample_rate_hz)
    poles = [_bilinear(warped * pole) for pole in _prototype(order)]
    return [_section(pole, pole.conjugate(), (1.0, 2.0, 1.0), 1.0) for pole in poles]


def butter_bandpass(
    order: int, low_hz: float, high_hz: float, *, sample_rate_hz: float
) -> list[Section]:
    """Band-pass of `order` (even) on each side, so `order` sections; -3 dB at both edges."""
    _check_band(order, high_hz, sample_rate_hz)
    if not 0 < low_hz < high_hz:
        raise ValueError(f"expected 0 < low_hz < high_hz, got {low_hz} and {high_hz}")
    low, high = _warp(low_hz, sample_rate_hz), _warp(high_hz, sample_rate_hz)
    centre = _digital_centre(low * high)
    poles = [p for proto in _prototype(order) for p in _split(proto * (high - low), low * high)]
    return [
        _section(pole, pole.conjugate(), (1.0, 0.0, -1.0), centre) for pole in map(_bilinear, poles)
    ]


class SosFilter:
    """A cascade of sections with its state; starts settled on the first sample it sees.

    `process` must get finite values; a gap is told by `restart`, after which the filter settles on
    the next sample instead of ringing over the jump.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        self._sections = list(sections)
        self._state: list[tuple[float, float]] | None = None

    def restart(self) -> None:
        """Forget the past: the next sample counts as if it had been there for ever."""
        self._state = None

    def process(self, values: Iterable[float]) -> list[float]:
        """Filtered values, one for each input."""
        out = list(values)
        if not out:
            return out
        if self._state is None:
            self._state = self._settled(out[0])
        if len(self._sections) == 2:
            out, *self._state = _run_two(self._sections, self._state, out)
            return out
        for k, section in enumerate(self._sections):
            out, self._state[k] = _run_section(section, self._state[k], out)
        return out

    def _settled(self, level: float) -> list[tuple[float, float]]:
        state = []
        for b0, b1, b2, a1, a2 in self._sections:
            out = level * (b0 + b1 + b2) / (1.0 + a1 + a2)
            second = b2 * level - a2 * out
            state.append((b1 * level - a1 * out + second, second))
            level = out
        return state


def _run_section(
    section: Section, state: tuple[float, float], values: list[float]
) -> tuple[list[float], tuple[float, float]]:
    """Transposed direct form II."""
    b0, b1, b2, a1, a2 = section
    s1, s2 = state
    out: list[float] = []
    append = out.append
    for x in values:
        y = b0 * x + s1
        s1 = b1 * x - a1 * y + s2
        s2 = b2 * x - a2 * y
        append(y)
    return out, (s1, s2)


def _run_two(
    sections: Sequence[Section], state: Sequence[tuple[float, float]], values: list[float]
) -> tuple[list[float], tuple[float, float], tuple[float, float]]:
    """`_run_section` twice in one pass, which saves a third: the pulse is most of all samples."""
    (b0, b1, b2, a1, a2), (d0, d1, d2, c1, c2) = sections
    (s1, s2), (r1, r2) = state
    out: list[float] = []
    append = out.append
    for x in values:
        y = b0 * x + s1
        s1 = b1 * x - a1 * y + s2
        s2 = b2 * x - a2 * y
        z = d0 * y + r1
        r1 = d1 * y - c1 * z + r2
        r2 = d2 * y - c2 * z
        append(z)
    return out, (s1, s2), (r1, r2)


def _check_band(order: int, top_hz: float, sample_rate_hz: float) -> None:
    if order < 2 or order % 2:
        raise ValueError(f"expected an even order of at least 2, got {order}")
    if not 0 < top_hz < sample_rate_hz / 2:
        raise ValueError(f"expected 0 < {top_hz} Hz < half of {sample_rate_hz} Hz")


def _warp(frequency_hz: float, sample_rate_hz: float) -> float:
    """Analogue frequency that the bilinear transform (T = 2) maps to `frequency_hz`."""
    return math.tan(math.pi * frequency_hz / sample_rate_hz)


def _prototype(order: int) -> list[complex]:
    """Upper-half poles of the analogue low-pass with cut-off 1 rad/s."""
    angles = [math.pi * (2 * k + order + 1) / (2 * order) for k in range(order // 2)]
    return [cmath.exp(1j * angle) for angle in angles]


def _split(pole: complex, centre_squared: float) -> tuple[complex, complex]:
    """The two band-pass poles of one low-pass pole, both taken from the upper half plane."""
    root = cmath.sqrt(pole * pole / 4 - centre_squared)
    pair = (pole / 2 + root, pole / 2 - root)
    return tuple(p if p.imag >= 0 else p.conjugate() for p in pair)  # type: ignore[return-value]


def _bilinear(pole: complex) -> complex:
    return (1 + pole) / (1 - pole)


def _digital_centre(centre_squared: float) -> complex:
    """Point on the unit circle at the band's geometric centre, where the gain is one."""
    return _bilinear(1j * math.sqrt(centre_squared))


def _section(
    pole: complex, other: complex, zeros: tuple[float, float, float], unity_at: complex
) -> Section:
    """Biquad with the given poles, scaled to gain one at `unity_at` on the unit circle."""
    a1, a2 = -(pole + other).real, (pole * other).real
    z = 1 / unity_at
    num = zeros[0] + zeros[1] * z + zeros[2] * z * z
    gain = abs((1 + a1 * z + a2 * z * z) / num)
    return Section(gain * zeros[0], gain * zeros[1], gain * zeros[2], a1, a2)
