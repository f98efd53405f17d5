"""Every path, module and link that a page names exists: files move, pages do not notice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
# What a clone has; caches and what tools unpack beside it are nobody's pages.
ROOMS = (
    "bench",
    "docs",
    "firmware_host",
    "models",
    "packaging",
    "sim",
    "tests",
    "tools",
    "training",
)
# The change log speaks of files as they were.
PAGES = sorted(
    [*REPO.glob("*.md"), *(page for room in ROOMS for page in (REPO / room).rglob("*.md"))]
)
PAGES = [page for page in PAGES if page.name != "CHANGELOG.md" and "node_modules" not in page.parts]
_PATH = re.compile(rf"(?<![\w/.-])((?:\.\./)*(?:{'|'.join(ROOMS)})/[\w./*{{}},-]*)")


def _page_id(page: Path) -> str:
    return str(page.relative_to(REPO))


def _spelled_out(path: str) -> Iterator[str]:
    """``a/{b,c}.py`` as ``a/b.py`` and ``a/c.py``."""
    before, brace, rest = path.partition("{")
    if not brace:
        yield path
        return
    inside, _, after = rest.partition("}")
    for name in inside.split(","):
        yield from _spelled_out(before + name + after)


def _missing_paths(text: str) -> list[str]:
    said = {found.rstrip(".,:;-") for found in _PATH.findall(text)}
    paths = {path.lstrip("./") for one in said for path in _spelled_out(one)}
    return sorted(path for path in paths if not _exists(path.rstrip("/")))


def _exists(path: str) -> bool:
    # A decision may be named by its number alone.
    return any(any(REPO.glob(pattern)) for pattern in (path, f"{path}-*.md"))


def _missing_modules(text: str) -> list[str]:
    said = {name.rstrip(".") for name in re.findall(r"python -m ([\w.]+)", text)}
    own = {name: REPO / name.replace(".", "/") for name in said if name.split(".")[0] in ROOMS}
    return sorted(
        name
        for name, place in own.items()
        if not place.with_suffix(".py").exists() and not (place / "__main__.py").exists()
    )


def _dead_links(page: Path) -> list[str]:
    dead = []
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", page.read_text()):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            dead.append(target)
    return dead


def _anchors(page: Path) -> list[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads]


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    assert (_missing_paths(text), _missing_modules(text), _dead_links(page)) == ([], [], [])


def test_names_that_are_gone_are_found() -> None:
    text = "see sim/none.py, sim/boar, `firmware_host/{errors,gone}.py`, docs/*.md and docs/decisions/0007:"
    assert _missing_paths(text) == ["firmware_host/gone.py", "sim/boar", "sim/none.py"]
    assert _missing_modules("python -m sim, python -m bench.none. python -m venv x") == [
        "bench.none"
    ]
