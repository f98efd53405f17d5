"""What int8 layers would run on, as the settings ask and as doctor tells it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from firmware_host.cli import doctor
from firmware_host.config import parse_config
from firmware_host.errors import ConfigError
from firmware_host.inference import int8_layers
from firmware_host.inference.delegates import Accelerator


def told(
    folder: Path, capsys: pytest.CaptureFixture[str], delegate: str, found: Accelerator,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:  # fmt: skip
    config = folder / "signet.toml"
    config.write_text(f'[model]\ndelegate = "{delegate}"\n')
    monkeypatch.setattr(int8_layers, "find_accelerator", lambda *_: found)
    args = argparse.Namespace(
        config=config, log=None, json=True, state=folder / "state", key_file=folder / "key"
    )
    doctor.run(args)
    checks = json.loads(capsys.readouterr().out)
    names = [check["name"] for check in checks]
    assert names.index("delegate") == names.index("tflite") + 1
    return next(check for check in checks if check["name"] == "delegate")


@pytest.mark.parametrize(
    ("wanted", "status"), [("auto", "ok"), ("none", "ok"), ("edgetpu", "warn")]
)
def test_doctor_minds_the_cpu_only_where_more_was_asked_for(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    status: str,
) -> None:
    cpu = Accelerator(None, "CPU: libedgetpu.so.1 is not installed")
    check = told(tmp_path, capsys, wanted, cpu, monkeypatch)
    assert (check["status"], check["text"]) == (status, cpu.text)
    assert bool(check["fix"]) == (status == "warn")


def test_doctor_says_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tpu = Accelerator(object(), "Edge TPU: libedgetpu.so.1")
    check = told(tmp_path, capsys, "edgetpu", tpu, monkeypatch)
    assert (check["status"], check["text"]) == ("ok", tpu.text)


def test_settings_name_a_delegate_that_there_is() -> None:
    assert parse_config('[model]\ndelegate = "none"', source="x").model.delegate == "none"
    with pytest.raises(ConfigError, match=r"model\.delegate.*auto, none, edgetpu"):
        parse_config('[model]\ndelegate = "gpu"', source="x")
