"""Which models of a bundle run on the board that speaks, and the way of its samples to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_host.identity.self_update import Walk
from firmware_host.inference.base import SignatureModel, runs_on
from firmware_host.inference.contract import STRESS_PLACEMENT, Bundle
from firmware_host.protocol.messages import Hello
from firmware_host.runtime.baseline import TimedWindow, WearerBaseline
from firmware_host.runtime.gait_path import GaitPath, WalkingReference
from firmware_host.runtime.stress_path import StressPath
from firmware_host.signals.gait import GaitWindow


@dataclass(slots=True)
class Models:
    """The networks of one bundle; ``personal`` is the stress model with the wearer's adapter."""

    generic: SignatureModel
    personal: SignatureModel
    gait: SignatureModel


class ModelPaths:
    """The paths of one session of a board, None where its channels or its place do not suit the model.

    Parameters
    ----------
    placement
        Where the board is worn; away from the wrist there is no stress model.
    remember, watched, walked
        Take each stress window, each gait window, and walks that the gait reference may learn from.
    """

    def __init__(
        self,
        bundle: Bundle,
        models: Models,
        *,
        baseline: WearerBaseline,
        walking: WalkingReference | None,
        placement: str,
        remember: Callable[[TimedWindow], None],
        watched: Callable[[GaitWindow, float], None],
        walked: Callable[[Walk], None] | None,
    ) -> None:
        self._bundle = bundle
        self._models = models
        self._baseline = baseline
        self._walking = walking
        self._remember = remember
        self._watched = watched
        self._walked = walked
        self.placement = placement
        self.adapter = 0
        """Version of the adapter that the personal model holds."""
        self.stress: StressPath | None = None
        self.gait: GaitPath | None = None

    @property
    def runs_on(self) -> dict[str, str]:
        """What computes each model."""
        models = {"stress": self._models.personal, "gait": self._models.gait}
        return {name: runs_on(model) for name, model in models.items()}

    def begin_session(self, hello: Hello) -> dict[str, list[str]]:
        """Begin anew with the channels of a session; why a model cannot run, by model."""
        problems = self._bundle.check_channels(hello.channels)
        if self.placement != STRESS_PLACEMENT:
            problems["stress"] = [f"made for the {STRESS_PLACEMENT}, worn at the {self.placement}"]
        self.stress = None if problems["stress"] else self._new_stress(hello)
        self.gait = None if problems["gait"] else self._new_gait(hello)
        return problems

    def use_adapter(self, version: int) -> None:
        """Later windows carry this version."""
        self.adapter = version
        if self.stress is not None:
            self.stress.adapter = version

    def use_walking(self, walking: WalkingReference | None) -> None:
        """From now on, tell the wearer by this reference."""
        self._walking = walking
        if self.gait is not None:
            self.gait.use(walking)

    def contact(self, *, is_on: bool) -> None:
        """The latest minute shows whether there is skin."""
        if self.gait is not None:
            self.gait.contact(is_on=is_on)

    def worn(self, *, is_on: bool, t_s: float) -> None:
        """The board itself says that it was put on or taken off."""
        self.contact(is_on=is_on)
        if self.stress is not None:
            self.stress.contact(is_on=is_on, t_s=t_s)
        # In a pocket there is no skin to touch.
        if self.gait is not None and self.placement == STRESS_PLACEMENT:
            self.gait.worn(is_on=is_on, t_s=t_s)

    def _new_stress(self, hello: Hello) -> StressPath:
        path = StressPath(
            self._bundle.stress,
            hello.channels,
            generic=self._models.generic,
            personal=self._models.personal,
            baseline=self._baseline,
            session=hello.session,
            remember=self._remember,
        )
        path.adapter = self.adapter
        return path

    def _new_gait(self, hello: Hello) -> GaitPath:
        return GaitPath(
            self._bundle.gait,
            hello.channels,
            model=self._models.gait,
            walking=self._walking,
            watched=self._watched,
            walked=self._walked,
        )
