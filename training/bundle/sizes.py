"""Where the bytes of a .tflite file are, and which ops it asks of a runtime."""

from __future__ import annotations

from typing import Any

from training.bundle.arena import planned
from training.bundle.flatbuffer import schema, unpack
from training.bundle.op_gate import op_versions


def file_facts(content: bytes) -> dict[str, Any]:
    """Size of a file, of its constants by type, and of the rest; op -> version; function -> KiB.

    A constant that several functions use is stored and counted once; working memory is each
    function's own.
    """
    stored = constant_bytes(content)
    memory = {name: round(arena.total / 1024, 1) for name, arena in planned(content).items()}
    return {
        "bytes": len(content),
        "constants": stored,
        "structure": len(content) - sum(stored.values()),
        "arena_kib": memory,
        "ops": dict(sorted(op_versions(content).items())),
    }


def constant_bytes(content: bytes) -> dict[str, int]:
    """Bytes of constants by type: int8, float16, float32, int32 and so on; most first."""
    model = unpack(content)
    names = {v: k.lower() for k, v in vars(schema().TensorType).items() if isinstance(v, int)}
    kinds = {t.buffer: t.type for graph in model.subgraphs for t in graph.tensors}
    found: dict[str, int] = {}
    for idx, buffer in enumerate(model.buffers):
        if buffer.data is not None and idx in kinds:
            name = names[kinds[idx]]
            found[name] = found.get(name, 0) + len(buffer.data)
    return dict(sorted(found.items(), key=lambda item: -item[1]))
