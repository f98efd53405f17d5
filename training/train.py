"""Options and work of ``python -m training train``: recordings -> models -> a checked bundle."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_host.errors import ConfigError, RecordingError, StorageError
from firmware_host.events import Activity
from training.bundle.artifacts import BACKBONES
from training.datasets import own
from training.datasets.bad_people import attempt, skipping_bad
from training.datasets.base import REST, STRESS, locate
from training.datasets.registry import GAIT as GAIT_SETS
from training.datasets.registry import STRESS as STRESS_SETS
from training.datasets.registry import is_there
from training.evaluation.options import seed

if TYPE_CHECKING:
    from training.bundle.halves import Half

DEFAULT_SEED = 20261121
# Thresholds come from leaving each one out: below this they rest on nobody.
MIN_STRESS_PEOPLE = 4
MIN_WALKERS = 6
# Half a minute to enrol on, and enough after it to set the threshold by, uneven steps left out.
MIN_WALK_S = 180.0
HALVES = ("stress", "gait")
BUNDLES = Path(__file__).resolve().parents[1] / "models" / "bundles"
_OWN_NAME, _OWN_VERSION = "own", "1.0.0"
SKIP_HELP = "name and leave out people whose files are missing, cut or off-rate"

DESCRIPTION = """\
Train on every person in --data: public data sets, your own recordings (own/<participant>/, see
docs/own-data.md), or both. Where your own recordings are too few for one of the two models, that
model is taken from --base."""


@dataclass(frozen=True)
class Sources:
    """Where recordings are: the data sets of `data`, and more public ones in `public`."""

    data: Path
    public: Path | None = None

    @property
    def has_own(self) -> bool:
        """Whether there are own recordings."""
        return is_there(self.data, own.NAME)

    def public_sets(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that are there and are not own recordings."""
        return [name for name in names if name != own.NAME and self._folders(name)]

    @contextmanager
    def joined(self, names: Sequence[str]) -> Iterator[Path]:
        """One folder with links to the data sets of `names` that are there."""
        with tempfile.TemporaryDirectory(prefix="signet-data-") as made:
            for name in names:
                for folder in self._folders(name):
                    suffix = folder.suffix if folder.is_file() else ""
                    (Path(made) / f"{name}{suffix}").symlink_to(folder.resolve())
            yield Path(made)

    def _folders(self, name: str) -> list[Path]:
        roots = [root for root in (self.data, self.public) if root and is_there(root, name)]
        if len(roots) > 1:
            raise ConfigError("--public", "data sets that are not in --data as well", name)
        return [locate(root, name) for root in roots]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `train`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with the datasets")
    parser.add_argument("--public", type=Path, help="another folder with public data sets")
    parser.add_argument("--out", type=Path, help="folder for the bundle (default: models/bundles, "
                        "or bundles/ in --data if that holds own recordings)")  # fmt: skip
    parser.add_argument("--name", help="name of the bundle")
    parser.add_argument("--version", help="version of the bundle, such as 1.0.0")
    parser.add_argument(
        "--only", choices=HALVES, help="train this model, take the other from --base"
    )
    parser.add_argument("--base", help="bundle to take a model from (default: the one that ships)")
    parser.add_argument("--seed", type=seed, default=DEFAULT_SEED)
    parser.add_argument("--cache", type=Path, help="folder for computed windows")
    parser.add_argument("--hold-out", action="append", default=[], metavar="DATASET/PARTICIPANT",
                        help="leave a person out of training; may be repeated")  # fmt: skip
    parser.add_argument(
        "--backbone",
        choices=BACKBONES,
        default="int8",
        help="how weights that do not learn are stored (default int8; nf4 is 4 bits)",
    )
    parser.add_argument(
        "--split",
        choices=("edge-tpu",),
        help="frozen layers in int8 files of their own, for an accelerator; only heads learn then",
    )
    parser.add_argument("--skip-bad", action="store_true", help=SKIP_HELP)


def run(args: argparse.Namespace) -> dict[str, object]:
    """Train, export and check; the bundle's path, its files' sizes and where each half is from.

    Raises
    ------
    ConfigError, RecordingError
        If an option or a recording cannot be used, or there is nothing to train on.
    StorageError
        If the bundle cannot be written; a place that is not writable is refused at the start.
    """
    for option, folder in (("--data", args.data), ("--public", args.public)):
        if folder is not None and not folder.is_dir():
            received = f"{folder}, a file" if folder.exists() else str(folder)
            raise ConfigError(option, "a folder with the datasets", received)
    _check_name(args)
    if args.split and args.backbone != "int8":
        raise ConfigError("--split", "--backbone int8, which an accelerator takes", args.backbone)
    _spare_the_shipped(args)
    sources = Sources(args.data, args.public)
    _check_out(_out(args, sources))
    with skipping_bad(skip=args.skip_bad):
        hold_out = dict(zip(HALVES, held_out(sources, sorted(set(args.hold_out))), strict=True))
        reasons = _reasons(args, sources, hold_out)
        # What is taken comes first: a base that cannot be used is said before an hour's training.
        order = sorted(HALVES, key=lambda half: half not in reasons)
        made = {half: _half(half, args, sources, hold_out[half], reasons) for half in order}
    folder = _export(args, sources, made)
    origin = {half: "base" if half in reasons else "trained" for half in HALVES}
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return {"bundle": str(folder), **origin, **sizes}


def _spare_the_shipped(args: argparse.Namespace) -> None:
    """Refuse to write another bundle over the one that ships unless a place is named.

    Raises
    ------
    ConfigError
        If an option makes another bundle of it, and neither a place nor a name is given.
    """
    changed = {
        "--hold-out": bool(args.hold_out),
        "--only": args.only is not None,
        "--backbone": args.backbone != "int8",
        "--split": args.split is not None,
        "--seed": args.seed != DEFAULT_SEED,
        "--skip-bad": args.skip_bad,
    }
    asked = [option for option, is_other in changed.items() if is_other]
    if asked and args.out is None and args.name is None and args.version is None:
        received = f"{', '.join(asked)} alone: it would replace the bundle that ships"
        raise ConfigError("--out", f"a folder, or --name, beside {asked[0]}", received)


def held_out(sources: Sources, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide the held-out people by model; a name of nobody would leak whoever was meant.

    Raises
    ------
    ConfigError
        If a name is of nobody.
    """
    by_model: tuple[list[str], list[str]] = [], []
    known = {**STRESS_SETS, **GAIT_SETS}
    for name in names:
        dataset, _, participant = name.partition("/")
        if not participant or dataset not in known:
            raise ConfigError("--hold-out", f"DATASET/PARTICIPANT of {', '.join(known)}", name)
        for people, listed in zip(by_model, _people_of(sources, dataset), strict=True):
            if name in listed:
                people.append(name)
        if not any(name in people for people in by_model):
            raise ConfigError("--hold-out", f"somebody in {sources.data}", name)
    return by_model


def _people_of(sources: Sources, dataset: str) -> tuple[set[str], set[str]]:
    with sources.joined([dataset]) as folder:
        stress, gait = set(), set()
        if dataset in STRESS_SETS and is_there(folder, dataset):
            listing = own.labelled if dataset == own.NAME else STRESS_SETS[dataset]
            stress = {session.person for session in listing(folder)}
        walks = dataset in GAIT_SETS and is_there(folder, dataset)
        if walks and (dataset != own.NAME or own.has_motion(folder)):
            gait = {f"{dataset}/{p}" for p in GAIT_SETS[dataset].index(folder).people}
    return stress, gait


def _reasons(
    args: argparse.Namespace, sources: Sources, hold_out: Mapping[str, Collection[str]]
) -> dict[str, str]:
    """Why a half is not trained, by half; told on standard error. Who is held out is not counted."""
    found = {
        "stress": _why_not_stress(sources, hold_out["stress"]),
        "gait": _why_not_gait(sources, hold_out["gait"]),
    }
    if args.only is not None:
        if found[args.only]:
            raise RecordingError(args.data, f"enough to train {args.only} on", found[args.only])
        found = {half: "" if half == args.only else f"--only {args.only}" for half in HALVES}
    reasons = {half: reason for half, reason in found.items() if reason}
    may_take = sources.has_own or args.base is not None or args.only is not None
    if len(reasons) == len(HALVES) or (reasons and not may_take):
        raise RecordingError(args.data, "recordings to train on", "; ".join(reasons.values()))
    return reasons


def _why_not_stress(sources: Sources, hold_out: Collection[str]) -> str:
    if sources.public_sets(list(STRESS_SETS)):
        return ""
    if not sources.has_own:
        return "no data set with stress"
    with sources.joined([own.NAME]) as folder:
        listed = [s for s in own.labelled(folder) if s.person not in hold_out]
    n = len({s.person for s in listed if {REST, STRESS} <= {stage.label for stage in s.stages}})
    if n < MIN_STRESS_PEOPLE:
        return f"{n} people with rest and stress in one recording, {MIN_STRESS_PEOPLE} needed"
    return ""


def _why_not_gait(sources: Sources, hold_out: Collection[str]) -> str:
    if sources.public_sets(list(GAIT_SETS)):
        return ""
    with sources.joined([own.NAME]) as folder:
        if not (sources.has_own and own.has_motion(folder)):
            return "nobody with walking"
        dataset = own.index(folder)
        named = {f"{own.NAME}/{person}": load for person, load in dataset.people.items()}
        read = [attempt(name, load) for name, load in named.items() if name not in hold_out]
    done = [recordings for recordings in read if recordings]
    walked_s = [
        sum(r.duration_s for r in recordings if r.activity is Activity.WALK) for recordings in done
    ]
    n = sum(seconds >= MIN_WALK_S for seconds in walked_s)
    if n < MIN_WALKERS:
        return f"{n} people who walk for {MIN_WALK_S:g} s, {MIN_WALKERS} needed"
    known = {recording.activity for recordings in done for recording in recordings}
    missing = [activity.value for activity in Activity if activity not in known]
    return f"nobody who does: {', '.join(missing)}" if missing else ""


def _half(
    half: str, args: argparse.Namespace, sources: Sources, hold_out: Sequence[str],
    reasons: dict[str, str],
) -> Half:  # fmt: skip
    from firmware_host.inference.bundle import find_bundle
    from training.bundle.halves import taken_from

    names = list(STRESS_SETS if half == "stress" else GAIT_SETS)
    if half in reasons:
        base = find_bundle(args.base or "")
        print(f"{half}: {reasons[half]}; taken from {base.name}", file=sys.stderr)
        return taken_from(base, half, names)
    with sources.joined(names) as folder:
        if half == "stress":
            return _train_stress(folder, args, hold_out)
        return _train_gait(folder, args, hold_out)


def _train_stress(folder: Path, args: argparse.Namespace, hold_out: Sequence[str]) -> Half:
    from training.bundle.halves import trained_stress
    from training.stress.artifacts import train_stress_artifacts

    if is_there(folder, own.NAME) and not own.labelled(folder):
        (folder / own.NAME).unlink()
    artifacts = train_stress_artifacts(folder, args.seed, hold_out, cache_dir=args.cache)
    is_split = args.split is not None
    return trained_stress(replace(artifacts, backbone=args.backbone, split=is_split))


def _train_gait(folder: Path, args: argparse.Namespace, hold_out: Sequence[str]) -> Half:
    from training.bundle.halves import trained_gait
    from training.gait.train import train_gait_artifacts

    made = train_gait_artifacts(folder, args.seed, hold_out, backbone=args.backbone)
    return trained_gait(replace(made, split=args.split is not None))


def _export(args: argparse.Namespace, sources: Sources, made: dict[str, Half]) -> Path:
    from training.bundle.export import NAME, VERSION, export_bundle

    is_own, out = sources.has_own, _out(args, sources)
    try:
        return export_bundle(
            made["stress"],
            made["gait"],
            seed=args.seed,
            out=out,
            name=args.name or (_OWN_NAME if is_own else NAME),
            version=args.version or (_OWN_VERSION if is_own else VERSION),
            options=_said(args),
        )
    except OSError as err:
        raise _not_writable(out, err) from err


def _said(args: argparse.Namespace) -> str:
    """Options that made this bundle another than the usual one, for its card; folders by their role."""
    said = {
        " --public PUBLIC": args.public is not None,
        f" --only {args.only}": args.only is not None,
        f" --base {args.base and Path(args.base).name}": args.base is not None,
        f" --seed {args.seed}": args.seed != DEFAULT_SEED,
        f" --name {args.name}": args.name is not None,
        f" --version {args.version}": args.version is not None,
        " --skip-bad": args.skip_bad,
    }
    return "".join(option for option, is_said in said.items() if is_said)


def _out(args: argparse.Namespace, sources: Sources) -> Path:
    """The folder that takes the bundle."""
    return args.out or (args.data / "bundles" if sources.has_own else BUNDLES)


def _check_out(out: Path) -> None:
    """Refuse, before an hour's work, a place that could not take its result; makes nothing."""
    there = next(path for path in (out, *out.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise ConfigError("--out", "a folder for the bundle", str(out))
    try:
        with tempfile.TemporaryDirectory(dir=there, prefix=".making-"):
            pass
    except OSError as err:
        raise _not_writable(out, err) from err


def _not_writable(out: Path, err: OSError) -> StorageError:
    return StorageError(f"--out {out}: expected a place to write to, got {err.strerror or err}")


def _check_name(args: argparse.Namespace) -> None:
    """Refuse a name or version that makes no folder's name."""
    if args.name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", args.name):
        raise ConfigError("--name", "letters, digits, dots and dashes", args.name)
    if args.version is not None and not re.fullmatch(r"[0-9]+(\.[0-9]+){2}", args.version):
        raise ConfigError("--version", "N.N.N, such as 1.0.0", args.version)
