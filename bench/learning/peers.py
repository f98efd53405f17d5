"""Run our training step and its peers, each in processes of its own, in turns."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.learning.ours import BARE_VARIABLE, RUNTIME_VARIABLE
from bench.learning.workload import NETWORKS
from bench.rows import REPO

RECIPE = "TFLite recipe, Flex in full TensorFlow"
# Where the runtime's own call is compared with the peers' own calls.
OURS = {"tflite-runtime": "ours, tflite-runtime", "ai-edge-litert": "ours, ai-edge-litert"}
CHECKED = ", as the host calls it"
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # A wheel that could use a graphics card must not look for one.
    "CUDA_VISIBLE_DEVICES": "-1",
}
_TIMEOUT_S = 300

# network -> peer -> one result a round, as `probe` prints it.
Results = dict[str, dict[str, list[dict[str, Any]]]]


@dataclass(frozen=True)
class Peer:
    """Name in the table, interpreter, module to run, and what its environment adds."""

    name: str
    python: str
    module: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pythons:
    """Interpreters: of a host, of the developer, and of the peers."""

    host: str
    developer: str
    peers: str


def peers_of(pythons: Pythons, runtimes: Mapping[str, str]) -> list[Peer]:
    """Everybody, ours first; `runtimes` runtime -> interpreter that has it."""
    found = []
    for runtime, python in runtimes.items():
        chosen = {RUNTIME_VARIABLE: runtime}
        bare = {**chosen, BARE_VARIABLE: "1"}
        found.append(Peer(OURS[runtime], python, "ours", bare))
        found.append(Peer(OURS[runtime] + CHECKED, python, "ours", chosen))
    return [
        *found,
        Peer(RECIPE, pythons.peers, "official_recipe"),
        Peer("TensorFlow, tf.function", pythons.peers, "tf_function"),
        Peer("PyTorch, eager", pythons.peers, "torch_eager"),
    ]


def runtimes_of(pythons: Pythons) -> dict[str, str]:
    """Runtime -> the leaner of the two interpreters that have it."""
    code = "import firmware_host.inference.tflite as t; print(*t.installed_runtimes())"
    found: dict[str, str] = {}
    for python in (pythons.host, pythons.developer):
        names = run([python, "-c", code]).split()
        found |= {name: python for name in names if name not in found}
    return {name: found[name] for name in OURS if name in found}


def build(pythons: Pythons, folder: Path) -> None:
    """Write what the peers run, with the TensorFlow of each."""
    run([pythons.developer, "-m", "bench.learning.files", str(folder)])
    run([pythons.peers, "-m", "bench.learning.official_recipe", "--build", str(folder)])


def measure(
    peers: Sequence[Peer],
    folder: Path,
    *,
    n_rounds: int,
    n_steps: Mapping[str, int],
    told: Callable[[str], None],
    networks: Sequence[str] = NETWORKS,
) -> tuple[Results, dict[str, str]]:
    """Give network -> peer -> one result a round, and why a peer is not among them.

    A round before the first one, not kept, brings files into memory and shows who can run here.
    The order turns around each round, so that a machine that slows down or speeds up meets
    everybody alike.
    """
    results: Results = {network: {} for network in networks}
    absent: dict[str, str] = {}
    for turn in range(n_rounds + 1):
        for peer in peers if turn % 2 else reversed(peers):
            for network in networks if peer.name not in absent else ():
                told(f"round {turn} of {n_rounds}: {network}, {peer.name}")
                try:
                    one = _measured(peer, network, folder, n_steps[network])
                except RuntimeError as err:
                    if turn:
                        raise
                    absent[peer.name] = str(err)
                    break
                if turn:
                    results[network].setdefault(peer.name, []).append(one)
    return results, absent


def _measured(peer: Peer, network: str, folder: Path, n_steps: int) -> dict[str, Any]:
    command = [peer.python, "-m", f"bench.learning.{peer.module}"]
    command += ["--folder", str(folder), "--network", network, "--steps", str(n_steps)]
    command += ["--started", repr(time.monotonic())]
    said = run(command, peer.environment)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Standard output of a process of this checkout.

    Raises
    ------
    RuntimeError
        If it fails; the text is what it said last.
    """
    env = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(REPO), **(environment or {})}
    done = subprocess.run(
        command, cwd=REPO, env=env, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"{' '.join(command[:3])}: {said}")
    return done.stdout
