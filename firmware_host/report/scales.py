"""Numbers to pixels, ticks that people would choose, and how values are printed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
import numpy.typing as npt

from firmware_host.report.model import FloatArray

# Beyond this a wearable value is a fault; the limit keeps differences of two values finite.
_LARGEST = 1e15
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_TIME_STEPS_S = (
    *(1, 2, 5, 10, 15, 30),
    *(step * _MINUTE_S for step in (1, 2, 5, 10, 15, 30)),
    *(step * _HOUR_S for step in (1, 2, 3, 4, 6, 12)),
    *(step * _DAY_S for step in (1, 2, 7, 14, 30, 90, 365, 3650)),
)


def clean(values: npt.ArrayLike) -> FloatArray:
    """Flat float64, infinities as NaN, limited to a range in which differences stay finite."""
    array = np.array(values, dtype=np.float64).ravel()
    array[~np.isfinite(array)] = np.nan
    return np.clip(array, -_LARGEST, _LARGEST)


def finite(values: npt.ArrayLike) -> FloatArray:
    """Flat float64 without what is not known."""
    cleaned = clean(values)
    return np.asarray(cleaned[np.isfinite(cleaned)], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Linear:
    """A straight map of [low, high] to [px_low, px_high]; an empty range maps to the middle."""

    low: float
    high: float
    px_low: float
    px_high: float

    def __call__(self, value: float) -> float:
        """Pixel of one value, kept inside the range."""
        return float(self.array(np.array([value]))[0])

    def array(self, values: FloatArray) -> FloatArray:
        """Pixels of values, kept inside the range; NaN stays NaN."""
        if not self.high > self.low:
            return np.full(np.shape(values), (self.px_low + self.px_high) / 2)
        share = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)
        return np.asarray(self.px_low + share * (self.px_high - self.px_low), dtype=np.float64)


def nice_step(span: float, n_target: int) -> float:
    """1, 2 or 5 times a power of ten, so that about `n_target` steps fill `span`."""
    raw = max(span, 1e-12) / max(n_target, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(
        (step * power for step in (1.0, 2.0, 5.0) if raw <= step * power * 1.0001), 10.0 * power
    )


def nice_ticks(low: float, high: float, n_target: int) -> list[float]:
    """Round values inside [low, high]."""
    if not high > low:
        return [low]
    step = nice_step(high - low, n_target)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [idx * step for idx in range(first, last + 1)]


def robust_range(low: FloatArray, high: FloatArray) -> tuple[float, float]:
    """A y range that single outliers cannot flatten.

    The whole range when the extremes lie within two widths of the 2nd to 98th percentile, else
    that range widened by a quarter: then the caller must say that values were cut. (0, 1) without
    any finite value.
    """
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    if not low.size or not high.size:
        return 0.0, 1.0
    inner_low, inner_high = float(np.percentile(low, 2)), float(np.percentile(high, 98))
    width = inner_high - inner_low
    whole_low, whole_high = float(low.min()), float(high.max())
    if width > 0 and whole_low < inner_low - 2 * width:
        whole_low = inner_low - width / 4
    if width > 0 and whole_high > inner_high + 2 * width:
        whole_high = inner_high + width / 4
    if not whole_high > whole_low:
        pad = max(abs(whole_low) * 0.05, 0.5)
        return whole_low - pad, whole_high + pad
    return whole_low, whole_high


def local(t_utc: float, tz_offset_s: float) -> datetime:
    """Local wall clock of a UNIX time."""
    return datetime.fromtimestamp(t_utc, timezone(timedelta(seconds=tz_offset_s)))


def time_ticks(
    start_utc: float, end_utc: float, tz_offset_s: float, n_target: int
) -> list[tuple[float, str, bool]]:
    """(t_utc, text, is midnight) at round local times, at most about `n_target`."""
    span = end_utc - start_utc
    step = next((s for s in _TIME_STEPS_S if span / s <= n_target), _TIME_STEPS_S[-1])
    first = math.ceil((start_utc + tz_offset_s) / step)
    last = math.floor((end_utc + tz_offset_s) / step)
    return [
        _time_tick(idx * step - tz_offset_s, tz_offset_s, step) for idx in range(first, last + 1)
    ]


def _time_tick(t_utc: float, tz_offset_s: float, step_s: int) -> tuple[float, str, bool]:
    moment = local(t_utc, tz_offset_s)
    is_midnight = moment.hour == moment.minute == moment.second == 0
    if is_midnight or step_s >= _DAY_S:
        return t_utc, f"{moment.day} {moment:%b}", is_midnight
    return t_utc, f"{moment:%H:%M:%S}" if step_s < _MINUTE_S else f"{moment:%H:%M}", False


def zone_name(tz_offset_s: float) -> str:
    """Offset as people write it: UTC+02:00."""
    sign, minutes = "-" if tz_offset_s < 0 else "+", round(abs(tz_offset_s) / 60)
    return f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def print_value(value: float, digits: int = 3) -> str:
    """Three significant digits for reading; an en dash when not known."""
    if value is None or not math.isfinite(value):
        return "–"
    if abs(value) >= _LARGEST:
        return "over 1e15" if value > 0 else "under −1e15"
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        mantissa, power = f"{value:.1e}".replace("-", "−").split("e")
        return f"{mantissa}e{power[0].replace('+', '')}{power[1:].lstrip('0')}"
    decimals = 0 if value == 0 else max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace(",", "\u202f").replace("-", "−")


def print_count(count: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{count:,}".replace(",", "\u202f")


def print_share(value: float) -> str:
    """A share of 0..1 in percent."""
    return "–" if not math.isfinite(value) else f"{100 * value:.1f}\u202f%"


def print_signed(value: float) -> str:
    """A difference: sign, two decimals, or as printed when it is large."""
    if not math.isfinite(value) or abs(value) >= 100:
        return print_value(value, 2)
    return f"{value:+.2f}".replace("-", "−")


def print_duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 7 h 05 min, 2 d 3 h."""
    if not math.isfinite(seconds):
        return "–"
    whole = round(seconds)
    if whole < 100:
        return f"{print_value(seconds, 2)} s" if seconds < 10 else f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h"
