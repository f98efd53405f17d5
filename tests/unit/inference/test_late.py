"""A second copy of a model comes into being when it first has to differ, and not before."""

from __future__ import annotations

from firmware_host.inference.base import signature_of
from firmware_host.inference.late import LateModel


class _Model:
    """Answers with its adapter."""

    runs_on = "memory"

    def __init__(self) -> None:
        self.adapter = 0
        self.signatures = {"infer": signature_of("infer", {}, {})}

    def run(self, signature, **arrays):
        if signature == "set_adapter":
            self.adapter = arrays["a"]
        return {"adapter": self.adapter}


def test_twin_answers_until_something_is_written():
    twin, opened = _Model(), []

    def open_own():
        opened.append(_Model())
        return opened[-1]

    model = LateModel(twin, open_own)
    assert model.signatures is twin.signatures
    assert model.runs_on == "memory"
    assert model.run("infer") == {"adapter": 0}
    assert not opened
    model.run("set_adapter", a=7)
    model.run("set_adapter", a=8)
    assert len(opened) == 1
    assert model.run("infer") == {"adapter": 8}
    assert twin.run("infer") == {"adapter": 0}
