"""The simulated wearer's distributions beside those of real people, as figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from firmware_host.errors import RecordingError
from training.body.bands import MIN_PEOPLE, Row, compared, grouped
from training.body.measures import ORDER
from training.body.real_people import real_people
from training.body.simulated_people import simulated_people
from training.body.telling_apart import telling_apart


def compare(data_dir: Path, n_simulated: int) -> tuple[dict[str, Any], list[Row]]:
    """Every figure, and the rows behind those of ``agreement``.

    Raises
    ------
    RecordingError
        If the folder holds no data set with people enough.
    """
    seen, walks = real_people(data_dir)
    real = grouped(seen)
    if not any(group.is_enough for group in real.values()):
        expected = f"a data set of {MIN_PEOPLE} people or more that training reads"
        raise RecordingError(data_dir, expected, f"{len({one.person for one in seen})} people")
    made, made_walks = simulated_people(n_simulated)
    rows = compared(real, grouped(made), ORDER)
    people = Counter(person.partition("/")[0] for person in {one.person for one in [*seen, *made]})
    figures = [row.figures() for row in rows]
    result = {
        "people": dict(sorted(people.items())),
        "summary": _summary(figures),
        "telling_apart": {
            "real": telling_apart(walks) if len(walks) >= MIN_PEOPLE else None,
            "simulated": telling_apart(made_walks),
        },
        "agreement": figures,
    }
    return result, rows


def _summary(figures: list[dict[str, Any]]) -> dict[str, Any]:
    outside = [
        f"{one['measure']}, {one['condition']}" for one in figures if not one["median_inside"]
    ]
    return {
        "n_rows": len(figures),
        "n_medians_inside": len(figures) - len(outside),
        "medians_outside": outside,
        "share_of_people_inside": float(np.mean([o["share_of_people_inside"] for o in figures])),
    }
