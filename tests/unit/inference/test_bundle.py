from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware_host.errors import BundleError, ContractError
from firmware_host.inference import bundle as bundle_module
from firmware_host.inference.bundle import CONTRACT_FILE, find_bundle, load_bundle, open_model
from firmware_host.protocol.messages import Channel
from firmware_host.signals.normalise import RAMP_FROM, RAMP_TO
from tests.bundles import seal, write_bundle

E4 = [
    Channel(0, "bvp", "au", 64.0, 0.01, 0.0, "i32", 1),
    Channel(1, "eda", "uS", 4.0, 1e-6, 0.0, "i32", 1),
    Channel(2, "temp", "degC", 4.0, 0.01, 0.0, "i16", 1),
    Channel(3, "acc", "m/s2", 32.0, 0.15, 0.0, "i8", 3),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundles")


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "bundle.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    seal(folder)


def test_contract_is_read_when_the_bundle_is_whole(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.label == "wrist-0.1.0"
    assert bundle.gait.placements == ("wrist", "pocket")
    assert bundle.stress.labels == ("rest", "stress")
    assert (bundle.stress.window_s, bundle.stress.hop_s) == (60.0, 10.0)
    assert len(bundle.stress.normalisation.spread) == len(bundle.stress.features) == 26
    assert len(bundle.stress.normalisation.center) == 26
    assert bundle.stress.normalisation.quality_ramp == (RAMP_FROM, RAMP_TO)
    assert bundle.stress.thresholds["stress"] == 0.5
    assert bundle.gait.labels == ("still", "walk", "run", "stairs", "other")
    assert bundle.recordings == {"stress-predict/S01": "0" * 64}
    assert bundle.cohort()["pocket.factors"].shape == (4, len(bundle.gait.features))
    assert bundle.gait.limit("min_periodicity", "pocket") == 0.4
    assert bundle.golden()["stress.infer.x"].shape == (3, 26)
    assert len(bundle.sha256) == 64


def test_time_control_interpolates_when_asked(folder: Path) -> None:
    control = load_bundle(folder).stress.time_control
    received = control.probability(np.array([-5.0, 0.0, 300.0, 1e6]))
    np.testing.assert_allclose(received, [0.1, 0.1, 0.3, 0.4], rtol=1e-6)


def test_models_open_when_signatures_are_the_contract(folder: Path) -> None:
    bundle = load_bundle(folder)
    model = open_model(bundle, bundle.stress)
    assert model.run("infer", x=np.zeros((1, 26), np.float32))["probs"].shape == (1, 2)


def test_model_is_refused_when_a_signature_differs(folder: Path) -> None:
    edit(folder, "logits = [1, 2]", "logits = [1, 3]")
    bundle = load_bundle(folder)
    with pytest.raises(BundleError, match=r"infer\(x\[1, 26\]\).*logits\[1, 3\].*logits\[1, 2\]"):
        open_model(bundle, bundle.stress)


@pytest.mark.parametrize("name", ["stress.tflite", "gait.tflite", "golden.npz", "CARD.md"])
def test_one_flipped_byte_is_refused_when_loaded(folder: Path, name: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}: expected sha256 .* got") as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named_when_loaded(folder: Path) -> None:
    (folder / "cohort.npz").unlink()
    with pytest.raises(BundleError, match=r"cohort\.npz: expected a file of .* no such file"):
        load_bundle(folder)


def test_changed_threshold_is_refused_when_the_seal_is_the_old_one(folder: Path) -> None:
    path = folder / "bundle.toml"
    text = path.read_text()
    assert "min_quality = 0.4" in text
    path.write_text(text.replace("min_quality = 0.4", "min_quality = 0.1"))
    with pytest.raises(BundleError, match=r"bundle\.toml: expected the sha256 in bundle\.sha256"):
        load_bundle(folder)


@pytest.mark.parametrize("at", [0, 31, 63])
def test_flipped_digit_of_the_seal_is_told_without_two_equal_prefixes(
    folder: Path, at: int
) -> None:
    path = folder / "bundle.sha256"
    text = path.read_text()
    path.write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])
    with pytest.raises(BundleError, match="altered or damaged") as caught:
        load_bundle(folder)
    assert text[:8] not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bundle_is_refused_when_its_seal_is_missing(folder: Path) -> None:
    (folder / "bundle.sha256").unlink()
    with pytest.raises(BundleError, match=r"bundle\.sha256: expected the hash of bundle\.toml"):
        load_bundle(folder)


@pytest.mark.parametrize("text", ["", "0" * 64, f"{'0' * 64}  other.toml\n", "\xff\xfe"])
def test_bundle_is_refused_when_its_seal_is_another_text(folder: Path, text: str) -> None:
    (folder / "bundle.sha256").write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match=r"one line: a sha256 and bundle\.toml"):
        load_bundle(folder)


def test_sha256sum_agrees_with_the_seal_of_every_bundle(folder: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("needs sha256sum")
    for sealed in (folder, find_bundle()):
        check = ["sha256sum", "--check", "--strict", "bundle.sha256"]
        done = subprocess.run(check, cwd=sealed, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "bundle.toml: OK\n")


BAD_CONTRACTS = {
    "newer format": (
        "format = 2",
        "format = 3",
        "expected format 2, got format 3; update the host",
    ),
    "older format": (
        "format = 2",
        "format = 1",
        "expected format 2, got format 1; take or train a newer bundle",
    ),
    "unknown key": ("format = 2", "format = 2\nsurprise = 3", "unknown surprise"),
    "unknown inner key": ("clip = 8.0", "clip = 8.0\nclap = 1", r"stress\.normalisation.*clap"),
    "missing key": ("clip = 8.0\n", "", r"stress\.normalisation\.clip as a number, got nothing"),
    "wrong kind": ("clip = 8.0", 'clip = "8"', r"clip as a number, got '8'"),
    "not toml": ("format = 2", "format = = 2", "expected a TOML file"),
    "path outside": ('[files."CARD.md"]', '[files."../CARD.md"]', r"plain names in \[files\]"),
    "no hash": ('[files."gait.tflite"]', '[files."other.tflite"]', r"a hash of gait\.tflite"),
    "other features": ('"bvp_quality"', '"bvp_qualify"', r"stress\.features\[\d+\].*'bvp_quality'"),
    "other ramp": ("quality_high = 0.7", "quality_high = 0.9", r"quality ramp .* got .* to 0\.9"),
    "bad shape": ("logits = [1, 2]", "logits = [1, 0]", "a list of positive integers"),
}


@pytest.mark.parametrize("case", BAD_CONTRACTS)
def test_contract_is_refused_when_it_is_wrong(folder: Path, case: str) -> None:
    old, new, message = BAD_CONTRACTS[case]
    edit(folder, old, new)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert str(caught.value).count("\n") == 0


def test_newest_is_found_when_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("0.1.0", "0.10.0", "0.9.2"):
        folder = tmp_path / f"wrist-{version}"
        folder.mkdir()
        (folder / "bundle.toml").touch()
    monkeypatch.setattr(bundle_module, "BUNDLE_FOLDERS", (tmp_path,))
    assert find_bundle().name == "wrist-0.10.0"
    assert find_bundle("wrist-0.9.2").name == "wrist-0.9.2"
    assert find_bundle(tmp_path / "wrist-0.1.0").name == "wrist-0.1.0"
    with pytest.raises(BundleError, match=r"shipped: wrist-0\.1\.0, wrist-0\.10\.0, wrist-0\.9\.2"):
        find_bundle("ankle-1.0")


def test_folder_that_was_looked_at_is_named_when_nothing_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "ships").mkdir()
    monkeypatch.setattr(bundle_module, "BUNDLE_FOLDERS", (tmp_path / "ships",))
    monkeypatch.chdir(tmp_path)
    for wanted, says in {
        "ankle-1.0": f"no folder {tmp_path}/ankle-1.0; shipped: none",
        "notes.txt": f"a file, {tmp_path}/notes.txt; shipped: none",
        ".": f"none in {tmp_path} or one folder below; shipped: none",
        "": f"none in {tmp_path}/ships; shipped: none",
    }.items():
        with pytest.raises(BundleError) as caught:
            find_bundle(wanted)
        assert str(caught.value).endswith(f"a folder with bundle.toml, got {says}")


def test_bundle_in_a_folder_is_found_when_the_folder_is_named(folder: Path) -> None:
    assert find_bundle(folder.parent) == folder


def test_board_passes_when_it_has_every_channel(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.check_channels(E4) == {"stress": [], "gait": []}
    bundle.stress.require_channels(E4)


@pytest.mark.parametrize(
    ("channels", "problem"),
    [
        (E4[1:], "bvp is missing"),
        ([E4[0], *E4[2:]], "eda is missing"),
        ([Channel(0, "bvp", "mV", 64.0, 1, 0, "i32", 1), *E4[1:]], "bvp comes in mV, needed in au"),
        (
            [Channel(0, "bvp", "au", 10.0, 1, 0, "i32", 1), *E4[1:]],
            "bvp comes at 10 Hz, needed at 32 to 256 Hz",
        ),
        ([*E4[:3], Channel(3, "acc", "m/s2", 32.0, 1, 0, "i16", 1)], "acc has 1 axes, needed 3"),
    ],
)
def test_board_is_refused_in_one_line_when_a_channel_will_not_do(
    folder: Path, channels: list[Channel], problem: str
) -> None:
    stress = load_bundle(folder).stress
    assert stress.check_channels(channels) == [problem]
    with pytest.raises(ContractError, match=f"^the stress model cannot run .*{problem}$"):
        stress.require_channels(channels)


def test_optional_channel_may_be_absent_but_not_wrong(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.gait.check_channels([E4[3]]) == []
    gyro = Channel(4, "gyro", "dps", 32.0, 1, 0, "i16", 3)
    assert bundle.gait.check_channels([E4[3], gyro]) == ["gyro comes in dps, needed in rad/s"]


@pytest.mark.parametrize(("model", "function"), [("stress", "prefer"), ("gait", "accumulate")])
def test_bundle_without_a_function_of_this_version_is_refused(
    folder: Path, model: str, function: str
) -> None:
    contract = folder / CONTRACT_FILE
    lines = contract.read_text(encoding="utf-8").splitlines(keepends=True)
    kept, is_left_out = [], False
    for line in lines:
        if line.startswith("["):
            is_left_out = f"{model}.signatures.{function}" in line.replace('"', "")
        if not is_left_out:
            kept.append(line)
    assert len(kept) < len(lines)
    contract.write_text("".join(kept), encoding="utf-8")
    seal(folder)
    with pytest.raises(BundleError, match=f"none called {function}: train the bundle again"):
        load_bundle(folder)
