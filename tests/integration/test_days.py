"""Days in a row: rest is learned anew each morning, and a gait reference follows only its wearer."""

from __future__ import annotations

from pathlib import Path

from command import Wearer

from firmware_host.adaptation.samples import load_rests
from firmware_host.runtime.gait_reference import GAIT_KIND
from firmware_host.vault.records import Vault

FOLLOW = "[enrolment]\nfollow = true\n"


def _day(folder: Path, name: str, date: str, *bouts: tuple[str, float]) -> str:
    """File of a scenario that begins at eight."""
    path = folder / f"{name}.toml"
    text = [f"start_utc = {date}T08:00:00Z"]
    text += [f'[[bout]]\nlabel = "{label}"\nminutes = {minutes}' for label, minutes in bouts]
    path.write_text("\n".join(text), encoding="utf-8")
    return str(path)


def _states(events: list[dict]) -> list[str]:
    return [event["state"] for event in events if event["kind"] == "stress"]


def test_each_morning_begins_with_learning_rest_on_one_line(wearer: Wearer) -> None:
    for date in ("2026-05-04", "2026-05-05"):
        scenario = _day(wearer.folder, date, date, ("rest", 13))
        url = f"synthetic:?seed=5&scenario={scenario}"
        states = _states(wearer.signet("run", "--device", url, "--json").check().events)
        assert states[0] == "learning_baseline"
        assert states[-1] in ("rest", "stress", "unsure")
    with Vault.open(wearer.state, wearer.folder / "key") as vault:
        assert vault.count("baseline") == 2
        first, second = load_rests(vault)
    assert second.line_id == first.id
    assert wearer.signet("status", "--json").check().json["no_longer_fits"] == []


def test_an_afternoon_break_keeps_the_mornings_rest(wearer: Wearer) -> None:
    morning = _day(wearer.folder, "morning", "2026-05-04", ("rest", 12))
    wearer.signet("run", "--device", f"synthetic:?seed=5&scenario={morning}").check()
    (wearer.folder / "noon.toml").write_text(
        'start_utc = 2026-05-04T12:00:00Z\n[[bout]]\nlabel = "rest"\nminutes = 2\n',
        encoding="utf-8",
    )
    url = f"synthetic:?seed=5&scenario={wearer.folder / 'noon.toml'}"
    states = _states(wearer.signet("run", "--device", url, "--json").check().events)
    assert "learning_baseline" not in states


def test_a_reference_follows_its_wearer_and_nobody_else(wearer: Wearer) -> None:
    config = wearer.folder / "signet.toml"
    config.write_text(FOLLOW, encoding="utf-8")
    signet = ("--config", str(config))
    wearer.signet("enrol", "gait", "--device", "synthetic:?seed=7&scenario=walk", *signet).check()
    walk = (("rest", 1), ("walk", 4), ("rest", 0.5))

    thief = _day(wearer.folder, "thief", "2026-05-05", *walk)
    url = f"synthetic:?seed=12&scenario={thief}"
    events = wearer.signet("run", "--device", url, "--json", *signet).check().events
    assert "gait_updated" not in [event.get("what") for event in events]

    own = _day(wearer.folder, "own", "2026-05-06", *walk)
    url = f"synthetic:?seed=7&scenario={own}"
    events = wearer.signet("run", "--device", url, "--json", *signet).check().events
    assert "gait_updated" in [event.get("what") for event in events]
    # Without being asked to, it stays as it was enrolled.
    later = _day(wearer.folder, "later", "2026-05-07", *walk)
    url = f"synthetic:?seed=7&scenario={later}"
    events = wearer.signet("run", "--device", url, "--json").check().events
    assert "gait_updated" not in [event.get("what") for event in events]
    with Vault.open(wearer.state, wearer.folder / "key") as vault:
        assert vault.count(GAIT_KIND) == 2
        before, after = (record.id for record in vault.iterate(GAIT_KIND))
        assert vault.pointer("gait_reference.wrist") == after
    back = wearer.signet("enrol", "gait", "--revert", "--json").check()
    assert back.json == {"reverted": "gait", "record": before}
    again = wearer.signet("enrol", "gait", "--revert")
    assert again.code == 6
    assert "as it was enrolled" in again.err


def test_going_back_needs_something_to_go_back_to(wearer: Wearer) -> None:
    wearer.signet("enrol", "gait", "--device", "synthetic:?seed=7&scenario=walk").check()
    refused = wearer.signet("enrol", "baseline", "--revert")
    assert refused.code == 6
    assert "found none" in refused.err
