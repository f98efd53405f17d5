"""A learning job that is killed, or loses its power, goes on and ends with the same bytes."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import ENV, REPO, Wearer, command

from bench.killed import HOWS, make_wearer, plan, result

# Reads nothing of the machine, so that a busy one does not keep the job from starting.
CALM = "SIGNET_HOST_ROOT"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A vault with enough labels, and the time at which it is learned from."""
    folder = tmp_path_factory.mktemp("known")
    return folder, make_wearer(folder)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {CALM: str(tmp_path_factory.mktemp("host")), "OPENBLAS_NUM_THREADS": "1"}


def _copy(known: tuple[Path, float], folder: Path) -> Wearer:
    return Wearer(Path(shutil.copytree(known[0], folder)))


def _await_log(process: subprocess.Popen[Any], log: Path, *, n_bytes: int) -> None:
    """Return once a running command has written so much, or has ended."""
    while not (log.exists() and log.stat().st_size >= n_bytes):
        try:
            process.wait(0.002)
        except subprocess.TimeoutExpired:
            continue
        return


def _learn(known: tuple[Path, float], *options: str) -> list[str]:
    return ["learn", "--json", "--now-utc", repr(known[1]), *options]


@pytest.fixture(scope="module")
def whole(
    known: tuple[Path, float], tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]
) -> tuple[list[bytes], dict[str, Any]]:
    """What the command ends with when nobody interrupts it."""
    wearer = _copy(known, tmp_path_factory.mktemp("whole") / "copy")
    done = wearer.signet(*_learn(known), env=env).check().json
    assert (done["kept"], done["group"]) == (True, "lora+head")
    assert done["n_steps"] > 1600
    return result(wearer.folder)


def test_plan_kills_every_step_once_and_around_the_end() -> None:
    jobs = plan(1604, n_jobs=100)
    deaths = [death for job in jobs for death in job]
    assert sorted(at for at, _ in deaths) == [*range(1, 1605), 1605, 1605]
    assert all(job == sorted(job) for job in jobs)
    counts = {how: sum(one == how for _, one in deaths) for how in HOWS}
    assert min(counts.values()) > 500


def test_killed_at_steps_from_first_to_last_ends_with_the_same_bytes() -> None:
    asked = [sys.executable, "-m", "bench.killed", "--only", "15", "--jobs", "2", "--json"]
    done = subprocess.run(
        asked, cwd=REPO, env={**ENV, "OPENBLAS_NUM_THREADS": "1"}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    facts = json.loads(done.stdout)
    assert (facts["kills"], facts["jobs"], facts["same"]) == (17, 4, 4)


def test_command_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(
    known: tuple[Path, float],
    whole: tuple[list[bytes], dict[str, Any]],
    tmp_path: Path,
    env: dict[str, str],
) -> None:
    wearer = _copy(known, tmp_path / "killed")
    asked = command(*_learn(known), *wearer.options)
    rng = random.Random(5)
    for _ in range(6):
        process = subprocess.Popen(
            asked, cwd=REPO, env={**ENV, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        # Not a wait for anything: wherever the job is by then, it dies there.
        try:
            process.wait(rng.uniform(0.2, 1.5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        assert process.wait() in (0, -signal.SIGKILL), process.stderr
        assert process.stderr is not None
        process.stderr.close()
    wearer.signet(*_learn(known), env=env).check()
    assert result(wearer.folder) == whole


def test_term_pauses_with_a_checkpoint_and_the_next_call_ends_the_job(
    known: tuple[Path, float],
    whole: tuple[list[bytes], dict[str, Any]],
    tmp_path: Path,
    env: dict[str, str],
) -> None:
    wearer = _copy(known, tmp_path / "paused")
    log = wearer.state / "vault.sqlite3-wal"
    process = subprocess.Popen(
        command(*_learn(known), *wearer.options), cwd=REPO, env={**ENV, **env},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # Its first checkpoint is there; the last of 1604 steps is a good while off.
    _await_log(process, log, n_bytes=1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert process.returncode == 0, err
    told = json.loads(out)
    assert (told["kept"], told["reason"]) == (False, "paused")
    assert told["text"].startswith("paused: stopped by a signal")
    wearer.signet(*_learn(known), env=env).check()
    assert result(wearer.folder) == whole


def test_budget_pauses_and_too_small_a_one_is_refused(
    known: tuple[Path, float],
    whole: tuple[list[bytes], dict[str, Any]],
    tmp_path: Path,
    env: dict[str, str],
) -> None:
    wearer = _copy(known, tmp_path / "budget")
    refused = wearer.signet(*_learn(known, "--budget-s", "0.000001"), env=env)
    assert refused.code == 6
    assert "before the first step" in refused.err
    assert refused.err.count("\n") == 1
    settings = tmp_path / "signet.toml"
    settings.write_text("[adaptation]\nbudget_bytes = 60_000\n")
    told = []
    for _ in range(20):
        told.append(wearer.signet(*_learn(known), "--config", settings, env=env).check().json)
        if told[-1]["reason"] != "paused":
            break
    assert len(told) > 2
    assert "60000 bytes" in told[0]["text"]
    assert result(wearer.folder) == whole


def test_power_lost_while_a_checkpoint_is_written_leaves_the_one_before(
    known: tuple[Path, float],
    whole: tuple[list[bytes], dict[str, Any]],
    tmp_path: Path,
    env: dict[str, str],
) -> None:
    cut = _copy(known, tmp_path / "cut")
    log = cut.state / "vault.sqlite3-wal"
    process = subprocess.Popen(
        command(*_learn(known), *cut.options), cwd=REPO, env={**ENV, **env},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _await_log(process, log, n_bytes=100_000)
    process.kill()
    process.wait()
    n_bytes = log.stat().st_size
    # What reached the disk of the write-ahead log ends anywhere, here in the middle of a page.
    for idx, share in enumerate((0.13, 0.5, 0.98)):
        left = Path(shutil.copytree(cut.folder, tmp_path / f"left{idx}"))
        with (left / "state" / "vault.sqlite3-wal").open("r+b") as stream:
            stream.truncate(int(share * n_bytes))
        Wearer(left).signet(*_learn(known), env=env).check()
        assert result(left) == whole
