from __future__ import annotations

from firmware_host.explain.stretches import stress_stretches


def _events(*rows: tuple[float, str, float | None]) -> list[dict[str, object]]:
    return [{"utc": utc, "state": state, "p_personal": p} for utc, state, p in rows]


def test_a_minute_without_an_answer_does_not_end_a_stretch() -> None:
    events = _events(
        (10, "stress", 0.4), (20, "unsure", 0.3), (60, "stress", 0.9), (200, "stress", 0.5)
    )
    stretches = stress_stretches(events)
    assert [(s.start_utc, s.end_utc, s.n_windows) for s in stretches] == [
        (10, 60, 2),
        (200, 200, 1),
    ]
    assert (stretches[0].peak_utc, stretches[0].peak_p_stress) == (60, 0.9)


def test_nothing_called_stress_gives_nothing() -> None:
    assert stress_stretches(_events((10, "rest", 0.1), (20, "not_worn", None))) == []
