"""Identity features of motion as vectors: 302 numbers that no turn of the device changes.

Lengths and vertical parts alone (`orientation.CHANNEL_NAMES`) forget in which direction across the
vertical a limb moves. Here the two horizontal axes make one complex signal: turning the device
about the vertical multiplies it by one phase for the whole window, and starting the window later
multiplies the k-th harmonic of the stride by the k-th power of another. Only products in which both
cancel are kept, so neither has to be known: amplitudes of the two senses of rotation, products of
acceleration and rotation rate at the same harmonic, and bispectra.

References
----------
Rotary spectra of a complex horizontal signal: Gonella, "A rotary-component method for analysing
meteorological and oceanographic vector time series", Deep-Sea Research 1972.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_RATE_HZ = 50.0
_N_WINDOW = 250
_N_HARMONICS = 8
# Harmonics (i, j) of a bispectrum between horizontal i, horizontal j and vertical i - j.
_ACROSS = ((2, 1), (3, 2), (4, 3), (3, 1), (4, 2), (5, 4), (6, 5), (6, 4))
# Harmonics (i, j) of a bispectrum between vertical i, vertical j and vertical i + j.
_ALONG = ((1, 1), (2, 2), (1, 2), (2, 4), (3, 3), (1, 3), (4, 4))
# Harmonics at which the two senses of rotation are compared.
_N_COMPARED = 4
_WINDOW = np.hanning(_N_WINDOW)
_SCALED_WINDOW = 2.0 / _WINDOW.sum() * _WINDOW
_SAMPLE = np.arange(_N_WINDOW)
# Of a direction; below it there is none (free fall, broken sensor).
_TINY = 1e-3
_FLOOR = 1e-2

_SPREAD = (
    *("acc_flatness", "gyro_flatness", "acc_across", "gyro_across", "acc_size", "gyro_size"),
    *("acc_gyro_across_re", "acc_gyro_across_im", "acc_gyro_mirrored_re", "acc_gyro_mirrored_im"),
    *("acc_gyro_along", "acc_skew", "gyro_acc_skew", "gyro_skew"),
)


def _at(pairs: tuple[tuple[int, int], ...], sign: int) -> tuple[NDArray[np.int64], ...]:
    """Places, counted from 0, of harmonics i, j and the third of a bispectrum, i + sign * j."""
    i, j = np.array(pairs).T
    return i - 1, j - 1, i + sign * j - 1


_ACROSS_AT, _ALONG_AT = _at(_ACROSS, -1), _at(_ALONG, 1)


def _complex_names(kind: str, pairs: tuple[object, ...]) -> list[str]:
    return [f"{kind}_{pair}_{part}" for part in ("re", "im") for pair in pairs]


_HARMONICS = tuple(range(1, _N_HARMONICS + 1))
_ACROSS_NAMES = tuple(f"{i}_{j}" for i, j in _ACROSS)
_ALONG_NAMES = tuple(f"{i}_{j}" for i, j in _ALONG)
VECTOR_NAMES: tuple[str, ...] = (
    *(
        f"vector.{sensor}_{part}_{k}"
        for sensor in ("acc", "gyro")
        for part in ("vertical", "with", "against")
        for k in _HARMONICS
    ),
    *(
        name
        for part in ("vertical", "with", "against")
        for name in _complex_names(f"vector.acc_gyro_{part}", _HARMONICS)
    ),
    *(
        name
        for kind in (
            "acc_acc_acc",
            "gyro_gyro_acc",
            "gyro_gyro_gyro",
            "acc_gyro_acc",
            "gyro_acc_acc",
        )
        for name in _complex_names(f"vector.senses_{kind}", tuple(range(1, _N_COMPARED + 1)))
    ),
    *(
        name
        for kind in (
            *("acc_with_acc", "acc_against_acc", "gyro_with_acc"),
            *("gyro_against_acc", "gyro_with_gyro", "gyro_against_gyro"),
        )
        for name in _complex_names(f"vector.across_{kind}", _ACROSS_NAMES)
    ),
    *(
        name
        for kind in ("acc_acc_acc", "gyro_gyro_gyro", "gyro_gyro_acc", "acc_gyro_gyro")
        for name in _complex_names(f"vector.along_{kind}", _ALONG_NAMES)
    ),
    *(f"vector.spread_{name}" for name in _SPREAD),
)


class _Motion(NamedTuple):
    """One sensor: `along` the vertical (n,), `across` it (n,) complex, both centred; its size."""

    along: FloatArray
    across: ComplexArray
    size: float


class _Waves(NamedTuple):
    """(8,) stride harmonics: vertical, horizontal with and against the sense of rotation."""

    along: ComplexArray
    ahead: ComplexArray
    back: ComplexArray


def vector_features(acc_ms2: FloatArray, gyro_rads: FloatArray, step_s: float) -> FloatArray:
    """(302,) features of one window in the order of `VECTOR_NAMES`.

    Parameters
    ----------
    acc_ms2, gyro_rads
        (250, 3) at 50 Hz in device axes; a gyroscope that is not there is zeros, and the caller
        puts NaN over the features that need it.
    step_s
        Duration of a step.
    """
    down, first, second = _frame(acc_ms2)
    acc = _motion(acc_ms2, down, first, second)
    gyro = _motion(gyro_rads, down, first, second, about_zero=True)
    basis = _basis(step_s)
    a, g = _waves(acc, basis), _waves(gyro, basis)
    return np.concatenate(
        (
            np.log(np.abs(np.concatenate((*a, *g))) + _FLOOR),
            *(_parts(_square_root(u * np.conj(v))) for u, v in zip(a, g, strict=True)),
            *_senses(a, g),
            *_across(a, g),
            *(_along(*three) for three in _vertical_threes(a.along, g.along)),
            _spread(acc, gyro),
        )
    )


def _frame(acc: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Down as the window's mean acceleration, and any two axes across it."""
    mean = acc.mean(axis=0)
    down = mean / max(float(np.sqrt(mean @ mean)), _TINY)
    # The device axis that is farthest from down; which one changes a phase that cancels.
    axis = np.zeros(3)
    axis[int(np.argmin(np.abs(down)))] = 1.0
    first = _cross(down, axis)
    first = first / max(float(np.sqrt(first @ first)), _TINY)
    return down, first, _cross(down, first)


def _cross(a: FloatArray, b: FloatArray) -> FloatArray:
    # Of single vectors numpy's own takes twenty times as long.
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx))


def _motion(
    rows: FloatArray,
    down: FloatArray,
    first: FloatArray,
    second: FloatArray,
    *,
    about_zero: bool = False,
) -> _Motion:
    along = rows @ down
    across: ComplexArray = rows @ first + 1j * (rows @ second)
    centred, turned = along - along.mean(), across - across.mean()
    # Rotation rate has a zero of its own; acceleration rests at gravity.
    u, z = (along, across) if about_zero else (centred, turned)
    size = float(np.sqrt((u * u + z.real**2 + z.imag**2).mean())) + _TINY
    return _Motion(centred, turned, size)


def _basis(step_s: float) -> ComplexArray:
    """(250, 8) complex waves at the multiples of the stride rate, half the step rate."""
    turn = np.exp((-1j * np.pi / step_s / _RATE_HZ) * _SAMPLE)
    waves = np.multiply.accumulate(np.broadcast_to(turn, (_N_HARMONICS, _N_WINDOW)), axis=0)
    basis: ComplexArray = (waves * _SCALED_WINDOW).T
    return basis


def _waves(motion: _Motion, basis: ComplexArray) -> _Waves:
    across = motion.across / motion.size
    return _Waves(
        (motion.along / motion.size) @ basis,
        across @ basis,
        across @ np.conj(basis),
    )


def _parts(values: ComplexArray) -> FloatArray:
    return np.concatenate((values.real, values.imag))


def _square_root(product: ComplexArray) -> ComplexArray:
    out: ComplexArray = product / np.sqrt(np.abs(product) + _FLOOR)
    return out


def _cube_root(product: ComplexArray) -> ComplexArray:
    """Root of the amplitude: one strong harmonic must not hide the others."""
    out: ComplexArray = product / (np.abs(product) + _FLOOR) ** (2.0 / 3.0)
    return out


def _senses(a: _Waves, g: _Waves) -> list[FloatArray]:
    """Where in the stride the swing's ellipse points: both senses against twice the vertical."""
    k = np.arange(_N_COMPARED)
    rows = (
        (a.ahead, a.back, a.along),
        (g.ahead, g.back, a.along),
        (g.ahead, g.back, g.along),
        (a.ahead, g.back, a.along),
        (g.ahead, a.back, a.along),
    )
    return [
        _parts(_cube_root(ahead[k] * np.conj(back[k]) * np.conj(along[2 * k + 1])))
        for ahead, back, along in rows
    ]


def _across(a: _Waves, g: _Waves) -> list[FloatArray]:
    i, j, both = _ACROSS_AT
    rows = (
        (a.ahead, np.conj(a.along)),
        (a.back, a.along),
        (g.ahead, np.conj(a.along)),
        (g.back, a.along),
        (g.ahead, np.conj(g.along)),
        (g.back, g.along),
    )
    return [_parts(_cube_root(z[i] * np.conj(z[j]) * v[both])) for z, v in rows]


def _vertical_threes(
    a: ComplexArray, g: ComplexArray
) -> tuple[tuple[ComplexArray, ComplexArray, ComplexArray], ...]:
    return (a, a, a), (g, g, g), (g, g, a), (a, g, g)


def _along(first: ComplexArray, second: ComplexArray, both: ComplexArray) -> FloatArray:
    i, j, sum_of_both = _ALONG_AT
    return _parts(_cube_root(first[i] * second[j] * np.conj(both[sum_of_both])))


def _spread(acc: _Motion, gyro: _Motion) -> FloatArray:
    """(14,) shape of the clouds of acceleration and rotation rate, and how they go together."""
    za, zg = acc.across, gyro.across
    sa, sg = (np.sqrt((np.abs(z) ** 2).mean()) + _TINY for z in (za, zg))
    da, dg = acc.along.std(), gyro.along.std()
    flat_a, flat_g = (za * za).mean() / sa**2, (zg * zg).mean() / sg**2
    together = (za * np.conj(zg)).mean() / (sa * sg)
    mirrored = (za * zg).mean() / (sa * sg) * np.conj(flat_g)
    skews = (
        (np.abs(za) ** 2 * acc.along).mean() / (sa**2 * (da + _TINY)),
        (np.abs(zg) ** 2 * acc.along).mean() / (sg**2 * (da + _TINY)),
        (np.abs(zg) ** 2 * gyro.along).mean() / (sg**2 * (dg + _TINY)),
    )
    return np.array(
        (
            *(np.abs(flat_a), np.abs(flat_g)),
            *(np.log(sa / (da + _TINY)), np.log(sg / (dg + _TINY))),
            *(np.log(acc.size), np.log(gyro.size)),
            *(together.real, together.imag, mirrored.real, mirrored.imag),
            (acc.along * gyro.along).mean() / (da * dg + 1e-6),
            *np.cbrt(skews),
        )
    )
