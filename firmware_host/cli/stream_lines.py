"""How a stream does, in lines for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_host.cli.times import local_time
from firmware_host.stream.rate import TOLERANCE
from firmware_host.words import counted

Facts = Mapping[str, Any]
# A run writes how it does every 10 s, and at once when link or data go or are back.
_FRESH_S = 30.0
# Longer than any board keeps its samples together, and no longer than silence is when it is said.
_MUTE_S = 5.0
_MINUTE_S = 60.0


def stream_lines(health: Facts | None, now_utc: float) -> list[str]:
    """Lines of ``signet status`` about the latest run's stream; one if there was none."""
    if health is None:
        return ["stream      none yet"]
    return [
        f"stream      {_stream(health, now_utc)}",
        *_clock(health),
        *_rates(health["channels"]),
        f"losses      {_losses(health)}",
        *_printed(health.get("lines", {})),
        *_quality(health["quality"]),
        *_battery(health.get("battery_percent")),
        *_board(health.get("board_status")),
    ]


def _stream(health: Facts, now_utc: float) -> str:
    board = f"{health['board']}, {_span(health['stream_s'])}"
    if not health["is_going_on"]:
        return f"{board}; {_end(health)}"
    told_utc, last_utc = health["told_utc"], health["last_data_utc"]
    age_s = max(now_utc - told_utc, 0.0)
    as_of = f"as of {age_s:.0f} s ago"
    if age_s >= _FRESH_S:
        return f"{board}; going on, but has written nothing of itself for {_span(age_s)}"
    if health["is_up"] and last_utc is not None and told_utc - last_utc < _MUTE_S:
        return f"{board}; going on, data was coming ({as_of})"
    where = "the board is there" if health["is_up"] else "the link is lost"
    where = health.get("trouble") or where
    since = "yet" if last_utc is None else f"for {_span(told_utc - last_utc)}"
    return f"{board}; going on, NO DATA {since}: {where} ({as_of})"


def _end(health: Facts) -> str:
    when = local_time(health["told_utc"])
    if not health["ended"]:
        return f"cut off: its process is gone, and it last wrote {when}"
    return f"ended {when}" + ("" if health["ended"] == "done" else f": {health['ended']}")


def _clock(health: Facts) -> list[str]:
    clock, notes = health["clock"], health["notes"]
    if not clock:
        return []
    ask = clock["round_trip_ms"]
    trip = "never asked" if ask is None else f"round trip {ask:.1f} ms"
    counts = ", ".join(
        f"{notes[what]} {words}" for what, words in _CLOCK_WORDS.items() if notes.get(what)
    )
    drift = f"drift {clock['drift_ppm']:+.1f} ppm over {_span(clock['span_s'])}"
    return [
        f"clock       {drift}, jitter {clock['jitter_ms']:.1f} ms, {trip}; {counts or 'no steps'}"
    ]


_CLOCK_WORDS = {
    "clock_step": "steps of the host's clock",
    "clock_jump": "jumps of the board's clock",
    "clock_wrap": "wraps of its counter",
    "reboot": "reboots",
}


def _rates(channels: Mapping[str, Facts]) -> list[str]:
    told = []
    for name, channel in channels.items():
        if not channel["is_sent"]:
            continue
        declared_hz, measured_hz = channel["declared_hz"], channel["measured_hz"]
        if measured_hz is None:
            told.append(f"{name} {declared_hz:g} declared")
        else:
            is_off = abs(measured_hz / declared_hz - 1.0) > TOLERANCE
            off = f" BUT {declared_hz:g} DECLARED" if is_off else ""
            told.append(f"{name} {measured_hz:.4g}{off}")
    return [f"rates       {', '.join(told)} Hz"] if told else []


def _losses(health: Facts) -> str:
    from firmware_host.runtime.drops import drop_words

    channels = health["channels"].values()
    n_missing = sum(channel["missing_samples"] for channel in channels)
    n_due = n_missing + sum(channel["n_samples"] for channel in channels)
    n_gaps = sum(channel["n_gaps"] for channel in channels)
    share = f" ({100.0 * n_missing / n_due:.2g} %)" if n_missing else ""
    missing = f"{n_missing} of {n_due} samples missing{share} in {counted(n_gaps, 'gap')}"
    if not n_due:
        missing = "no samples counted yet"
    # A board that starts anew says nothing of what it missed: that is in no gap.
    silent_s = health.get("silent_s", 0.0)
    silent = [f"no data for {_span(silent_s)} in all"] if silent_s else []
    return "; ".join([missing, *silent, *drop_words(health)])


def _printed(lines: Mapping[str, int]) -> list[str]:
    from firmware_host.runtime.drops import line_words

    words = line_words(lines)
    return [f"lines       {words}"] if words else []


def _quality(quality: Mapping[str, float]) -> list[str]:
    if not quality:
        return []
    told = ", ".join(f"{name} {share:.2f}" for name, share in quality.items())
    return [f"quality     {told} of the latest minute"]


def _battery(percent: int | None) -> list[str]:
    from firmware_host.runtime.battery import is_low

    if percent is None:
        return []
    return [f"battery     {percent} %{', LOW: charge the board' if is_low(percent) else ''}"]


def _board(status: Facts | None) -> list[str]:
    """How the board itself does; nothing of one that does not tell."""
    if status is None:
        return []
    told = [f"up {_span(status['uptime_s'])}"]
    told += [f"{status[name]} {words}" for name, words in _BOARD_WORDS.items() if status[name]]
    for part in status["parts"]:
        if part["state"]:
            told.append(f"{part['name']} {_PART_WORDS.get(part['state'], 'odd').upper()}")
        elif part["n_errors"]:
            told.append(f"{part['name']} {part['n_errors']} bus errors")
    return [f"board       {', '.join(told)}"]


_BOARD_WORDS = {
    "n_late": "samples late",
    "n_dropped": "frames the line did not take",
    "n_overruns": "sensor overruns",
    "n_bad_frames": "bad frames heard",
    "n_failures": "failures of its app in a row",
}
_PART_WORDS = {1: "absent", 2: "fails"}


def _span(seconds: float) -> str:
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    minutes = seconds / _MINUTE_S
    return f"{minutes:.0f} min" if minutes < 2 * _MINUTE_S else f"{minutes / _MINUTE_S:.1f} h"
