"""Causal resampling of a few seconds of samples onto a uniform grid that ends at a given time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Above this ratio of input to output rate, single samples would alias: average over one output
# period instead.
_AVERAGE_ABOVE_RATIO = 1.5


def grid_s(t_end_s: float, n_points: int, *, sample_rate_hz: float) -> FloatArray:
    """(n_points,) times, one period apart, the last at `t_end_s`."""
    return t_end_s - np.arange(n_points - 1, -1, -1) / sample_rate_hz


def resample(
    t_s: FloatArray, rows: FloatArray, grid: FloatArray, *, input_rate_hz: float, rate_hz: float
) -> FloatArray:
    """Rows at the grid times.

    Linear interpolation; when the input is more than 1.5 times faster than the grid, the mean over
    the period before each grid time. Beyond the first and last sample the nearest one is held.

    Parameters
    ----------
    t_s
        (n,) increasing times.
    rows
        (n, columns) values.
    grid
        (m,) times one period of `rate_hz` apart.

    Returns
    -------
    (m, columns); zeros for fewer than two samples.
    """
    if len(t_s) < 2:
        return np.zeros((len(grid), rows.shape[1]))
    if input_rate_hz <= _AVERAGE_ABOVE_RATIO * rate_hz:
        return _interpolate(t_s, rows, grid)
    edges = np.concatenate(([grid[0] - 1.0 / rate_hz], grid))
    areas = _interpolate(t_s, _running_area(t_s, rows), edges)
    widths = _steps(np.minimum(np.maximum(edges, t_s[0]), t_s[-1]))
    # A cell with no samples at all (outside the data) has no mean: hold instead.
    held = widths < 0.5 / rate_hz
    if not held.any():
        exact: FloatArray = _steps(areas) / widths[:, None]
        return exact
    means: FloatArray = _steps(areas) / np.where(held, 1.0, widths)[:, None]
    means[held] = _interpolate(t_s, rows, grid[held])
    return means


def _running_area(t_s: FloatArray, rows: FloatArray) -> FloatArray:
    """(n, columns) integral up to each sample, trapezoid rule."""
    area = np.zeros_like(rows)
    steps = (rows[1:] + rows[:-1]) * (0.5 * _steps(t_s))[:, None]
    np.add.accumulate(steps, axis=0, out=area[1:])
    return area


def _steps(values: FloatArray) -> FloatArray:
    """From each row to the next; `diff`, `clip` and `cumsum` cost more than the work in arrays this small."""
    steps: FloatArray = values[1:] - values[:-1]
    return steps


def _interpolate(t_s: FloatArray, rows: FloatArray, at_s: FloatArray) -> FloatArray:
    """Linear interpolation of all columns at once; ends are held."""
    left = np.minimum(np.maximum(t_s.searchsorted(at_s, side="right") - 1, 0), len(t_s) - 2)
    right = left + 1
    t_left = t_s[left]
    weight = np.minimum(np.maximum((at_s - t_left) / (t_s[right] - t_left), 0.0), 1.0)[:, None]
    base = rows[left]
    between: FloatArray = base + weight * (rows[right] - base)
    return between
