"""The report's time line: curves, spans and events in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_host.report import Signal
from firmware_host.runtime.battery import Battery
from firmware_host.runtime.gather_seen import Event, FloatArray, Seen, Windows
from firmware_host.runtime.memory import SOURCE_KIND
from firmware_host.runtime.pipeline import ADAPTER_NOTE, MODEL_OFF_NOTE
from firmware_host.runtime.session import (
    DRIFT_NOTE,
    GAIT_UPDATED_NOTE,
    LEARNED_NOTE,
)
from firmware_host.runtime.silence import BACK_NOTE, LINK_NOTE, SILENCE_NOTE
from firmware_host.signals.eda import FLOOR_USIEMENS
from firmware_host.signals.stress import CHANNELS, FEATURE_NAMES
from firmware_host.stream.samples import Note
from firmware_host.vault.pack import unpack
from firmware_host.vault.records import Vault

Instant = tuple[float, str]
Detail = Mapping[str, Any]
# Below half a readable minute a figure of it is a guess.
_MIN_QUALITY = 0.5
# Shorter gaps are counted in the stream's table; here they would hide the rest.
_SHOWN_GAP_S = 1.0
# Channels that fall silent together come back within this.
_SAME_GAP_S = 5.0
_REASONS = {
    "better": "better on held-back windows",
    "tie": "no better than before",
    "small_gain": "gain too small",
    "worse_than_current": "worse than what was in force",
    "worse_than_generic": "worse than the model as shipped",
    "needs_another_episode": "another episode is needed",
    "nothing_new": "nothing new to learn from",
    "failed": "the job failed",
}


def signals(windows: Windows) -> list[Signal]:
    """Curves of the stored windows: waveforms are not kept, their minute by minute features are."""
    if not windows.t_utc.size:
        return []

    def trusted(channel: str) -> NDArray[np.bool_]:
        return windows.worn & (windows.quality[:, CHANNELS.index(channel)] >= _MIN_QUALITY)

    def curve(name: str, channel: str) -> FloatArray:
        return np.where(trusted(channel), windows.features[:, FEATURE_NAMES.index(name)], np.nan)

    level = np.maximum(np.exp(curve("log_eda_level", "eda")) - FLOOR_USIEMENS, 0.0)
    rate, warmth = curve("hr_median_bpm", "bvp"), curve("temp_mean", "temp")
    t = windows.t_utc
    return [
        Signal("Heart rate", "bpm", t, rate, note="median of each minute"),
        Signal("Skin conductance", "µS", t, level, note="mean of each minute"),
        Signal("Skin temperature", "°C", t, warmth, note="mean of each minute"),
        Signal("Movement", "m/s²", t, windows.motion, note="sustained in each minute"),
    ]


def spans(events: Sequence[Event], key: str, hop_s: float) -> list[tuple[float, float, str]]:
    """Equal neighbours joined; each event speaks of the hop before its time."""
    joined: list[tuple[float, float, str]] = []
    for event in events:
        start, end, name = event["utc"] - hop_s, event["utc"], str(event[key])
        if joined and joined[-1][2] == name and start - joined[-1][1] < hop_s:
            joined[-1] = (joined[-1][0], end, name)
        else:
            joined.append((max(start, joined[-1][1] if joined else start), end, name))
    return joined


def instants(seen: Seen, vault: Vault) -> list[Instant]:
    """What happened to the stream and to what is known of the wearer, in words."""
    rates_hz = {
        name: float(channel["declared_hz"])
        for summary in seen.summaries
        for name, channel in summary["channels"].items()
    }
    found = [(float(note["utc"]), words) for note in seen.notes if (words := _words(note))]
    found += _gaps(seen.notes, rates_hz)
    found += _low_battery(seen.notes)
    # From their records: a baseline may come from an enrolment, outside any run that is kept.
    for record in vault.iterate(SOURCE_KIND, skip_damaged=True):
        source = unpack(record.payload)[1]["source"]
        found.append((record.t_utc, f"baseline learned ({source})"))
    return sorted(found)


def _rate(detail: Detail, channel: str) -> str:
    if not detail["is_off"]:
        return f"{channel} at its rate again"
    return f"{channel} at {detail['measured_hz']:.4g} Hz, {detail['declared_hz']:.4g} declared"


def _adapter(detail: Detail, _: str) -> str:
    return f"adapter {detail['version']} in use" if detail["version"] else "model as shipped in use"


def say_learned(detail: Detail) -> str:
    """Words for what came of a job."""
    reason = str(detail["reason"])
    kept = "update kept" if detail["kept"] else "update not kept"
    return f"{kept}: {_REASONS.get(reason, reason.replace('_', ' '))}"


# Presses other than the plain one make labels, which have a lane of their own.
_WORDS: Mapping[str, Callable[[Detail, str], str]] = {
    Note.SESSION: lambda detail, _: f"{detail['board']} began to stream",
    Note.REBOOT: lambda *_: "board rebooted",
    Note.SWAP: lambda detail, _: f"another board: {detail['board']}",
    Note.LAYOUT: lambda *_: "board changed its channels",
    Note.RATE: _rate,
    Note.STOPPED: lambda detail, channel: (
        f"{channel} stopped: nothing for {detail['silent_s']:.0f} s while others went on"
    ),
    Note.CLOCK_JUMP: lambda detail, _: f"board's clock jumped by {detail['jump_s']:.3g} s",
    Note.CLOCK_STEP: lambda detail, _: f"host's clock moved by {detail['step_s']:.3g} s",
    Note.WEAR: lambda detail, _: "put on" if detail["value"] else "taken off",
    Note.BUTTON: lambda detail, _: "" if detail["value"] else "button pressed",
    ADAPTER_NOTE: _adapter,
    LEARNED_NOTE: lambda detail, _: say_learned(detail),
    DRIFT_NOTE: lambda detail, _: f"no longer fits: {detail['why']}",
    GAIT_UPDATED_NOTE: lambda detail, _: f"gait reference of the {detail['placement']} followed",
    MODEL_OFF_NOTE: lambda detail, _: f"{detail['model']} model off: {detail['why']}",
    SILENCE_NOTE: lambda detail, _: f"nothing came for {detail['silent_s']:.0f} s",
    LINK_NOTE: lambda detail, _: f"link lost for {detail['silent_s']:.0f} s or more",
    BACK_NOTE: lambda detail, _: f"data again, after {detail['silent_s']:.0f} s without any",
}


def _words(note: Event) -> str:
    say = _WORDS.get(note["what"])
    return "" if say is None else say(note["detail"], note["channel"])


def _gaps(notes: Sequence[Event], rates_hz: Mapping[str, float]) -> list[Instant]:
    """Gaps and pauses worth a word; channels that fell silent together in one."""
    found: list[tuple[float, str, set[str], float]] = []
    for note in notes:
        what, name = note["what"], note["channel"]
        if what not in (Note.GAP, Note.PAUSE) or not rates_hz.get(name):
            continue
        length_s = note["detail"]["missing_samples"] / rates_hz[name]
        if length_s < _SHOWN_GAP_S:
            continue
        last = found[-1] if found else None
        if last and last[1] == what and note["utc"] - last[0] < _SAME_GAP_S and name not in last[2]:
            found[-1] = (last[0], what, last[2] | {name}, max(last[3], length_s))
        else:
            found.append((note["utc"], what, {name}, length_s))
    return [
        (t_utc, f"{what} of {length_s:.3g} s in {', '.join(sorted(names))}")
        for t_utc, what, names, length_s in found
    ]


def _low_battery(notes: Sequence[Event]) -> list[Instant]:
    battery = Battery()
    reports = (
        (note, int(note["detail"]["value"])) for note in notes if note["what"] == Note.BATTERY
    )
    return [
        (float(note["utc"]), f"battery at {value} %")
        for note, value in reports
        if battery.take(value)
    ]
