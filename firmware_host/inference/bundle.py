"""Finding, checking and opening a model bundle: contract, hashes, models."""

from __future__ import annotations

import hashlib
import tomllib
from itertools import zip_longest
from pathlib import Path
from typing import Any

from firmware_host.errors import BundleError
from firmware_host.inference.base import Signature, signature_of
from firmware_host.inference.contract import (
    Bundle,
    BundleFile,
    Calibration,
    ChannelNeed,
    GaitContract,
    ModelContract,
    Normalisation,
    StressContract,
    TimeControl,
)
from firmware_host.inference.int8_layers import Int8Layers, compiled_name
from firmware_host.inference.split import SplitModel
from firmware_host.inference.tflite import TfliteModel
from firmware_host.inference.toml_table import TomlTable
from firmware_host.signals import gait_features, stress
from firmware_host.signals.normalise import RAMP_FROM, RAMP_TO

FORMAT = 2
CONTRACT_FILE = "bundle.toml"
SEAL_FILE = "bundle.sha256"
_PACKAGE = Path(__file__).resolve().parents[1]
# The wheel carries the bundles inside the package; a checkout has them beside it.
BUNDLE_FOLDERS = (_PACKAGE / "bundles", _PACKAGE.parent / "models" / "bundles")
# What learning and scoring call; a bundle of an older version lacks some.
_LEARNING = frozenset(
    {
        "train",
        "accumulate",
        "apply",
        "train_mezo",
        "evaluate",
        "get_adapter",
        "set_adapter",
        "reset",
    }
)
_FUNCTIONS = {
    "stress": _LEARNING | {"infer", "prefer"},
    "gait": _LEARNING | {"infer"},
}


def find_bundle(wanted: str | Path = "") -> Path:
    """Folder of a bundle: its path, its name such as "signet-0.3.0", or the newest that ships.

    A path may also be a folder of bundles; its newest is taken.

    Raises
    ------
    BundleError
        If there is none; the line says where it looked and lists those that ship.
    """
    if wanted and (Path(wanted) / CONTRACT_FILE).is_file():
        return Path(wanted).resolve()
    shipped = _bundles_in(*BUNDLE_FOLDERS)
    if str(wanted) in shipped:
        return shipped[str(wanted)]
    candidates = _bundles_in(Path(wanted)) if wanted else shipped
    if candidates:
        return candidates[max(candidates, key=_version_key)]
    known = ", ".join(sorted(shipped)) or "none"
    received = f"{_looked_at(wanted)}; shipped: {known}"
    raise BundleError(wanted or "(default)", f"a folder with {CONTRACT_FILE}", received)


def _looked_at(wanted: str | Path) -> str:
    if not wanted:
        return f"none in {' or '.join(str(folder) for folder in BUNDLE_FOLDERS)}"
    path = Path(wanted).absolute()
    if path.is_dir():
        return f"none in {path} or one folder below"
    return f"a file, {path}" if path.exists() else f"no folder {path}"


def _bundles_in(*folders: Path) -> dict[str, Path]:
    files = [path for folder in folders for path in sorted(folder.glob(f"*/{CONTRACT_FILE}"))]
    return {path.parent.name: path.parent.resolve() for path in files}


def _version_key(label: str) -> tuple[tuple[int, ...], str]:
    numbers = label.rpartition("-")[2].split(".")
    return tuple(int(n) if n.isdigit() else -1 for n in numbers), label


def load_bundle(path: str | Path = "") -> Bundle:
    """Contract of a bundle after every one of its files was checked.

    Raises
    ------
    BundleError
        If the folder, a file or a key is missing or altered, or the format is another.
    """
    folder = find_bundle(path)
    file = folder / CONTRACT_FILE
    content = file.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        values = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as err:
        raise BundleError(file, "a TOML file", str(err)) from err
    with TomlTable(file, "", values) as table:
        received = table.whole("format")
        if received != FORMAT:
            remedy = "update the host" if received > FORMAT else "take or train a newer bundle"
            raise BundleError(file, f"format {FORMAT}", f"format {received}; {remedy}")
        # Here: a bundle of another format may be sealed in another way, or have no seal.
        _check_seal(file, sha256)
        bundle = _read_bundle(folder, table, sha256)
    _check_files(bundle)
    _check_features(bundle.path, bundle.stress, stress.FEATURE_NAMES)
    _check_features(bundle.path, bundle.gait, gait_features.FEATURE_NAMES)
    _check_ramp(bundle)
    return bundle


def seal_text(contract: bytes) -> str:
    """Text of the seal: one line that ``sha256sum -c`` reads.

    It guards against damage and edits by mistake. It is no signature: whoever changes the contract
    on purpose can write a new seal as well.
    """
    return f"{hashlib.sha256(contract).hexdigest()}  {CONTRACT_FILE}\n"


def open_model(
    bundle: Bundle, contract: ModelContract, *, runtime: str = "auto", delegate: str = "auto"
) -> TfliteModel | SplitModel:
    """Load one model of the bundle and see that it has the functions that the contract names.

    Parameters
    ----------
    delegate
        What the int8 layers of a model in two files may run on, one of `delegates.DELEGATES`.

    Raises
    ------
    BundleError
        If a function is missing or has other shapes.
    """
    path = bundle.path / contract.file
    model: TfliteModel | SplitModel = TfliteModel(path, runtime=runtime)
    if contract.int8_file:
        compiled = compiled_name(contract.int8_file)
        layers = Int8Layers(
            bundle.path / contract.int8_file,
            # Only if it is one of the files whose hashes were checked.
            compiled=bundle.path / compiled if compiled in bundle.files else None,
            runtime=runtime,
            delegate=delegate,
        )
        model = SplitModel(layers, model)
    for name, expected in contract.signatures.items():
        received = model.signatures.get(name)
        if received != expected:
            raise BundleError(path, f"signature {_describe(expected)}", _describe(received))
    return model


def _describe(signature: Signature | None) -> str:
    if signature is None:
        return "none"
    inputs = ", ".join(f"{s.name}{list(s.shape)}" for s in signature.inputs.values())
    outputs = ", ".join(f"{s.name}{list(s.shape)}" for s in signature.outputs.values())
    return f"{signature.name}({inputs}) -> {outputs}"


def _check_features(folder: Path, contract: ModelContract, ours: tuple[str, ...]) -> None:
    # A model fed with features in another order answers as calmly as ever.
    for i, (expected, received) in enumerate(zip_longest(ours, contract.features)):
        if expected != received:
            raise BundleError(
                folder / CONTRACT_FILE,
                f"{contract.name}.features[{i}] to be this host's {expected!r}",
                f"{received!r}",
            )


def _check_ramp(bundle: Bundle) -> None:
    ours, theirs = (RAMP_FROM, RAMP_TO), bundle.stress.normalisation.quality_ramp
    if theirs != ours:
        raise BundleError(
            bundle.path / CONTRACT_FILE,
            f"this host's quality ramp {ours[0]:g} to {ours[1]:g}",
            f"{theirs[0]:g} to {theirs[1]:g}",
        )


def _check_seal(contract: Path, sha256: str) -> None:
    file = contract.with_name(SEAL_FILE)
    try:
        words = file.read_text(encoding="ascii", errors="replace").split()
    except OSError as err:
        reason = err.strerror or "nothing"
        raise BundleError(file, f"the hash of {CONTRACT_FILE}", f"{reason}; copy it again") from err
    # `sha256sum -b` puts an asterisk before the name.
    if len(words) != 2 or words[1].removeprefix("*") != CONTRACT_FILE:
        raise BundleError(file, f"one line: a sha256 and {CONTRACT_FILE}", "another text")
    if words[0] != sha256:
        # No prefixes: a flip in the middle of the seal would show two equal ones.
        received = "another: one of the two was altered or damaged, copy the bundle again"
        raise BundleError(contract, f"the sha256 in {SEAL_FILE}", received)


def _check_files(bundle: Bundle) -> None:
    int8_files = {model.int8_file for model in (bundle.stress, bundle.gait)} - {""}
    named = {bundle.stress.file, bundle.gait.file, bundle.gait.cohort, "golden.npz", *int8_files}
    for name in sorted(named - set(bundle.files)):
        raise BundleError(bundle.path / CONTRACT_FILE, f"a hash of {name} in [files]", "none")
    for name, expected in bundle.files.items():
        path = bundle.path / name
        if not path.is_file():
            raise BundleError(path, f"a file of {expected.n_bytes} bytes", "no such file")
        received = hashlib.sha256(path.read_bytes()).hexdigest()
        if received != expected.sha256:
            raise BundleError(path, f"sha256 {expected.sha256[:12]}…", f"{received[:12]}…")


def _read_bundle(folder: Path, top: TomlTable, sha256: str) -> Bundle:
    return Bundle(
        path=folder,
        name=top.text("name"),
        version=top.text("version"),
        seed=top.whole("seed"),
        stress=_read_stress(top),
        gait=_read_gait(top),
        files=_read_files(folder, top),
        recordings=top.table("recordings").all_texts(),
        sha256=sha256,
    )


def _read_files(folder: Path, top: TomlTable) -> dict[str, BundleFile]:
    files = {}
    table = top.table("files")
    for name in table.names():
        if Path(name).name != name:
            raise BundleError(folder / CONTRACT_FILE, "plain names in [files]", repr(name))
        with table.table(name) as entry:
            files[name] = BundleFile(entry.text("sha256"), entry.whole("bytes"))
    return files


def _read_stress(top: TomlTable) -> StressContract:
    with top.table("stress") as table:
        with table.table("normalisation") as norm:
            low, high = norm.number("quality_low"), norm.number("quality_high")
            normalisation = Normalisation(
                spread=norm.numbers("spread"),
                center=norm.numbers("center"),
                clip=norm.number("clip"),
                quality_ramp=(low, high),
            )
        with table.table("time_control") as control:
            time_control = TimeControl(control.numbers("t_s"), control.numbers("p_stress"))
        with table.table("calibration") as given:
            calibration = Calibration(given.number("slope"), given.number("offset"))
        effort_s = table.number("effort_s")
        common = _read_common("stress", table)
    return StressContract(
        **common,
        normalisation=normalisation,
        time_control=time_control,
        calibration=calibration,
        effort_s=effort_s,
    )


def _read_gait(top: TomlTable) -> GaitContract:
    with top.table("gait") as table:
        return GaitContract(
            **_read_common("gait", table),
            placements=table.texts("placements"),
            cohort=table.text("cohort"),
        )


def _read_common(name: str, table: TomlTable) -> dict[str, Any]:
    return {
        "name": name,
        "file": table.text("file"),
        "backbone": table.text_or("backbone", "int8"),
        "int8_file": table.text_or("int8_file", ""),
        "channels": _read_channels(table.table("channels")),
        "features": table.texts("features"),
        "labels": table.texts("labels"),
        "window_s": table.number("window_s"),
        "hop_s": table.number("hop_s"),
        "smoothing_s": table.number("smoothing_s"),
        "thresholds": table.table("thresholds").all_numbers(),
        "signatures": _read_signatures(name, table.table("signatures")),
    }


def _read_channels(table: TomlTable) -> tuple[ChannelNeed, ...]:
    needs = []
    for name in table.names():
        with table.table(name) as entry:
            needs.append(
                ChannelNeed(
                    name=name,
                    unit=entry.text("unit"),
                    min_rate_hz=entry.number("min_rate_hz"),
                    max_rate_hz=entry.number("max_rate_hz"),
                    axes=entry.whole("axes"),
                    optional=entry.flag("optional"),
                )
            )
    return tuple(needs)


def _read_signatures(model: str, table: TomlTable) -> dict[str, Signature]:
    missing = sorted(_FUNCTIONS[model] - set(table.names()))
    if missing:
        expected = f"functions {', '.join(sorted(_FUNCTIONS[model]))} of the {model} model"
        received = f"none called {', '.join(missing)}: train the bundle again with this version"
        raise BundleError(CONTRACT_FILE, expected, received)
    signatures = {}
    for name in table.names():
        with table.table(name) as entry:
            inputs, outputs = entry.table("inputs"), entry.table("outputs")
            signatures[name] = signature_of(name, inputs.all_shapes(), outputs.all_shapes())
    return signatures
