"""CARD.md: what the bundle was made from, how good it is, and for whom it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from training.bundle.artifacts import Recordings

if TYPE_CHECKING:
    from training.bundle.halves import Half

# Publisher's name and terms, as each set asks to be cited.
SOURCES = {
    "stress-predict": "Stress-Predict (Iqbal et al., Sensors 2022, 22(21):8135), MIT",
    "physionet-stress-exercise": (
        "Wearable device dataset from induced stress and structured exercise sessions "
        "(Hongn et al., Sci Data 2025, doi 10.1038/s41597-025-04845-9), ODC-By"
    ),
    "motionsense": "MotionSense (Malekzadeh et al. 2018), MIT",
    "wisdm-watch": "WISDM smartphone and smartwatch (Weiss 2019), CC BY 4.0",
    "wesad": "WESAD (Schmidt et al. 2018, ICMI, doi 10.1145/3242969.3242985)",
    "own": "own recordings, made with Signet or an Empatica E4",
    "mobgap-lab": "mobgap example data (Mobilise-D), Apache-2.0",
}
INTRODUCTION = """\
Stress on the wrist, and who walks on the wrist or in a trouser pocket: a frozen base, low-rank
adapters and a head that the wearer's own host trains. Input contract, hashes and thresholds:
`bundle.toml`."""
LIMITS = """\
- Healthy volunteers in laboratories; stress here is mental arithmetic, Stroop, speech and the like.
- Stress: wrist only. Who walks: wrist or front trouser pocket, each enrolled and told apart there.
- Every walker was recorded in one session: another day, other shoes or another way to carry the
  device are not in the figures, and cost accuracy in every published study that had them.
- A watch wearer who holds the arm otherwise than at enrolment is often taken for somebody else.
- The spread between people is wider than any difference between models: for some wearers the
  generic model is little better than chance; the personal baseline and the gate are for them.
- Rest labels come from the protocol's rest stages, not from how people felt.
- The gait model tells apart people of a small group; it is not an access control.
- Not a medical device."""


def card_text(
    stress: Half,
    gait: Half,
    *,
    label: str,
    seed: int,
    sizes: Mapping[str, int],
    options: str = "",
) -> str:
    """Markdown for one bundle; ``options`` are those of the command, besides how layers are stored."""
    parts = [
        f"# {label}",
        INTRODUCTION,
        "## Made from",
        "Stress:",
        _sources(stress.recordings),
        "Gait:",
        _sources(gait.recordings),
        f"Seed {seed}. Again: `python -m training train --data DIR{options}{_stored(stress, gait)}`"
        f"{_hold_out(stress, gait)}.",
        "## Figures",
        "Over people the models were not trained on, unless a row says otherwise.",
        _rows({**stress.figures, **gait.figures}),
        "## Size",
        _rows({name: f"{n_bytes:,} bytes" for name, n_bytes in sorted(sizes.items())}),
        "## Limits",
        LIMITS,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sources(recordings: Recordings) -> str:
    # Further recordings of somebody carry a number.
    people = {name.partition("#")[0] for name in recordings.trained_on}
    counts = Counter(name.split("/", 1)[0] for name in people)
    lines = [f"- {SOURCES.get(name, name)}: {n} people" for name, n in sorted(counts.items())]
    if recordings.held_out:
        lines.append(f"- held out: {', '.join(sorted(recordings.held_out))}")
    return "\n".join(lines)


def _stored(*halves: Half) -> str:
    """Options that say how frozen weights were stored, where that is not as usual."""
    backbones = {half.table.get("backbone", "int8") for half in halves} - {"int8"}
    options = [f" --backbone {name}" for name in sorted(backbones)]
    is_split = any("int8_file" in half.table for half in halves)
    return "".join(options) + " --split edge-tpu" * is_split


def _hold_out(stress: Half, gait: Half) -> str:
    names = sorted({*stress.recordings.held_out, *gait.recordings.held_out})
    return "".join(f" `--hold-out {name}`" for name in names)


def _rows(rows: Mapping[str, str]) -> str:
    if not rows:
        return ""
    return "\n".join(["| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())])
