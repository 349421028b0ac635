"""Named tensors in a safetensors file: opening one cannot execute code."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.runs.files import atomic_write_bytes


def save_checkpoint(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors, atomically.

    Args:
        path: the file, by custom with the suffix `.safetensors`.
        tensors: name → tensor of any shape; written from the CPU, detached and contiguous.
        metadata: name → text, kept in the file's header.

    Raises:
        LambdascopeError: the file cannot be written; what was there before stands.
    """
    # `contiguous` leaves a view that covers all its storage alone, and safetensors refuses shared
    # storage: clone those.
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    atomic_write_bytes(path, _in_order(save(plain, metadata=dict(metadata or {}))))


def load_checkpoint(
    path: Path, expected: Mapping[str, Sequence[int]] | None = None
) -> dict[str, Tensor]:
    """Read named tensors and check them.

    Args:
        path: a file written by `save_checkpoint`.
        expected: name → shape, all that the file must hold and nothing beside; None accepts any
            names and shapes.

    Returns:
        name → tensor on the CPU.

    Raises:
        LambdascopeError: the file is missing, truncated or no safetensors file; a tensor is
            missing, unexpected, of
            another shape, or holds NaN or an infinity.
    """
    tensors, _ = _read(path)
    if expected is not None:
        check_tensors(tensors, expected, source=str(path))
    check_finite(tensors, source=str(path))
    return tensors


def load_metadata(path: Path) -> dict[str, str]:
    """Read the texts in a checkpoint's header.

    Raises:
        LambdascopeError: the file is missing, truncated or no safetensors file.
    """
    _, metadata = _read(path, tensors=False)
    return metadata


def check_tensors(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Sequence[int]], source: str
) -> None:
    """Refuse tensors whose names or shapes differ from `expected`.

    Args:
        tensors: name → tensor.
        expected: name → shape.
        source: where the tensors came from, for the message.

    Raises:
        LambdascopeError: naming the missing, unexpected or misshapen tensors.
    """
    missing = [name for name in expected if name not in tensors]
    if missing:
        raise LambdascopeError(
            f"{source} lacks the tensor{_plural(missing)} {', '.join(missing)}: it should hold "
            f"{', '.join(expected)}"
        )
    extra = [name for name in tensors if name not in expected]
    if extra:
        raise LambdascopeError(
            f"{source} holds the unexpected tensor{_plural(extra)} {', '.join(extra)}: it should "
            "hold "
            f"{', '.join(expected)} and nothing else"
        )
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != tuple(shape):
            raise LambdascopeError(
                f"{source}: the tensor {name} has shape {list(tensors[name].shape)}, "
                f"where the config asks for {list(shape)}"
            )


def check_finite(tensors: Mapping[str, Tensor], source: str) -> None:
    """Refuse tensors that hold NaN or an infinity.

    Args:
        tensors: name → tensor.
        source: where the tensors came from, for the message.

    Raises:
        LambdascopeError: naming the tensor and how many of its entries are not finite.
    """
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        bad = tensor.numel() - int(torch.isfinite(tensor).sum())
        if bad:
            raise LambdascopeError(
                f"{source}: {bad} of the {math.prod(tensor.shape)} entries of the tensor {name} "
                "are NaN or infinite, "
                "where every entry should be finite"
            )


def _in_order(data: bytes) -> bytes:
    """A safetensors file with the texts of its header in alphabetical order.

    The library writes them in a random one, so that equal content would differ in its bytes.
    """
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of eight bytes
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _read(path: Path, tensors: bool = True) -> tuple[dict[str, Tensor], dict[str, str]]:
    path = Path(path)
    if not path.is_file():
        raise LambdascopeError(
            f"the checkpoint {path} does not exist or is no file: give one that training wrote"
        )
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys()) if tensors else []
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise LambdascopeError(
            f"the checkpoint {path} is truncated or is no safetensors file ({error}): give a whole "
            "one"
        ) from error


def _plural(names: list[str]) -> str:
    return "" if len(names) == 1 else "s"
