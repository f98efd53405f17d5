"""What the wearer compared, as pairs of windows to learn from and later ones to judge by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from firmware_host.adaptation.episodes import Episode
from firmware_host.adaptation.evidence import Compared, Comparisons
from firmware_host.adaptation.preferences import Comparison, comparisons, given
from firmware_host.adaptation.samples import WINDOW_KIND
from firmware_host.signals.stress import WINDOW_RANGE_S, WINDOW_S
from firmware_host.vault.records import Vault

# Fewer leave nothing to learn from once half of them is held back.
MIN_COMPARISONS = 6
MIN_HELD_BACK = 3
# Windows of a moment that take part: neighbours share most of their signal.
MAX_ROWS = 4
# The newest comparisons whose windows outlast the others; some 20 records each.
MAX_KEPT = 200

# What the model sees of the usable windows that end between two times: (n, 26).
ReadWindows = Callable[[float, float], NDArray[np.float32]]
Rows = tuple[NDArray[np.float32], NDArray[np.float32]]


def divide(
    said: Sequence[Comparison],
    read: ReadWindows,
    *,
    window_s: float,
    turns: Sequence[Sequence[Episode]],
) -> Comparisons | None:
    """Divide comparisons, in the order they were said; None if too few of them can be used.

    The later half is held back, without moments that the earlier half speaks of too.

    Parameters
    ----------
    turns
        Held-back episodes of each turn: a comparison about one of their moments would tell the
        learner what it is then judged on.
    """
    known = _known(said, read, window_s)
    earlier, later = known[: len(known) // 2], known[len(known) // 2 :]
    spoken_of = [moment for one, _ in earlier for moment in _moments(one)]
    held_back = [
        (one, rows)
        for one, rows in later
        if not any(_near(moment, spoken_of, window_s) for moment in _moments(one))
    ]
    if len(known) < MIN_COMPARISONS or len(held_back) < MIN_HELD_BACK:
        return None
    return Comparisons(
        _by_turn(earlier, turns, window_s),
        _joined([rows for _, rows in held_back]),
        _joined([rows for _, rows in known]),
    )


def without_holding_back(
    said: Sequence[Comparison],
    read: ReadWindows,
    *,
    window_s: float,
    turns: Sequence[Sequence[Episode]],
) -> Comparisons:
    """All comparisons to learn from and to judge by: for studies, where labels must judge alone."""
    known = _known(said, read, window_s)
    everything = _joined([rows for _, rows in known])
    return Comparisons(_by_turn(known, turns, window_s), everything, everything)


def _known(
    said: Sequence[Comparison], read: ReadWindows, window_s: float
) -> list[tuple[Comparison, Rows]]:
    """Comparisons with windows on both sides."""
    return [(one, rows) for one in said if (rows := _rows(one, read, window_s)) is not None]


def _by_turn(
    known: Sequence[tuple[Comparison, Rows]], turns: Sequence[Sequence[Episode]], window_s: float
) -> tuple[Compared, ...]:
    by_turn = (
        [rows for one, rows in known if not _touches(one, episodes, window_s)] for episodes in turns
    )
    return tuple(_joined(rows) for rows in by_turn)


def compared_ids(vault: Vault) -> set[int]:
    """Records of the windows that comparisons speak of, however old they are."""
    moments = {m for one in list(comparisons(given(vault)))[-MAX_KEPT:] for m in _moments(one)}
    longest_s = WINDOW_RANGE_S[1]
    return {
        record_id
        for utc in moments
        for record_id, _ in vault.times(WINDOW_KIND, since_utc=utc, until_utc=utc + longest_s)
    }


def n_usable(vault: Vault, *, before_id: int | None = None) -> int:
    """Count comparisons with stored windows at both moments, none opened.

    With `before_id` as things were said before that record. Movement or a poor signal may still
    rule some out.
    """
    said = [one for one in given(vault) if before_id is None or one.id < before_id]
    return sum(all(_has_windows(vault, utc) for utc in _moments(one)) for one in comparisons(said))


def _has_windows(vault: Vault, utc: float) -> bool:
    return bool(vault.times(WINDOW_KIND, since_utc=utc, until_utc=utc + WINDOW_S))


def _rows(one: Comparison, read: ReadWindows, window_s: float) -> Rows | None:
    """Windows of both moments, as many of one as of the other; None if either has none."""
    # The windows that contain the moment.
    more, less = (read(utc, utc + window_s) for utc in _moments(one))
    n = min(len(more), len(less), MAX_ROWS)
    return (_spread(more, n), _spread(less, n)) if n else None


def _spread(x: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    return x[np.linspace(0, len(x) - 1, n).round().astype(np.int64)]


def _moments(one: Comparison) -> tuple[float, float]:
    return (one.more_utc, one.less_utc)


def _near(moment: float, others: Sequence[float], window_s: float) -> bool:
    # Windows that contain either of two moments this close share signal.
    return any(abs(moment - other) < 2 * window_s for other in others)


def _touches(one: Comparison, episodes: Sequence[Episode], window_s: float) -> bool:
    return any(
        episode.t_end_utc[0] - window_s < moment + window_s
        and moment - window_s < episode.t_end_utc[-1]
        for episode in episodes
        for moment in _moments(one)
    )


def _joined(rows: Sequence[Rows]) -> Compared:
    n_features = len(rows[0][0][0]) if rows else 0
    empty = np.zeros((0, n_features), np.float32)
    return Compared(
        np.concatenate([empty, *(more for more, _ in rows)]),
        np.concatenate([empty, *(less for _, less in rows)]),
        np.concatenate(
            [np.zeros(0, np.float32), *(np.full(len(m), 1.0 / len(m)) for m, _ in rows)]
        ).astype(np.float32),
    )
