"""Several posteriors of one shape, side by side, so that their chains run as one batch."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from lambdascope.errors import LambdascopeError
from lambdascope.posterior.local_posterior import LocalPosterior
from lambdascope.posterior.objective import Objective
from lambdascope.posterior.samples import SampleSet


@dataclass
class ChainTensors:
    """What differs from chain to chain of one chunk, each [chain, ...].

    Attributes:
        w_star: [chain, param].
        nbeta: [chain, 1], in 1/loss.
        localization: [chain, 1], in 1/parameter².
        weight_decay: [chain, 1].
        num_samples: [chain, 1], int64.
        offset: [chain, 1], int64: where the chain's data begin in the common tensors.
        keys: [chain, 4], int32.
        mask: [chain, param] or None.
        normal: [chain, param] or None.
        num_free: [chain], how many directions mask and normal leave.
        step_factor: [chain, 1], factors on the kernel's step size, or None where all are 1.
        held: By name, [chain, ...] or, where all posteriors agree, [...].
    """

    w_star: Tensor
    nbeta: Tensor
    localization: Tensor
    weight_decay: Tensor
    num_samples: Tensor
    offset: Tensor
    keys: Tensor
    mask: Tensor | None
    normal: Tensor | None
    num_free: Tensor
    step_factor: Tensor | None = None
    held: dict[str, Tensor] = field(default_factory=dict)

    def first(self, shared_held: Collection[str]) -> "ChainTensors":
        """The first chain by itself; `shared_held` names the tensors that belong to all."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        own |= {name: t[:1] for name, t in own.items() if isinstance(t, Tensor)}
        own["held"] = {n: t if n in shared_held else t[:1] for n, t in self.held.items()}
        return ChainTensors(**own)


class PosteriorStack:
    """Posteriors of equal shape: same model, loss and parameters; weights and data may differ.

    Args:
        posteriors: One or more.
        device: Where the chains will run.

    Attributes:
        objective: The loss they share.
        w_star: [posterior, param].
        data: The samples of all posteriors, each distinct data set once, one after the other.
        num_data_sets: How many different ones there are.
        shared_held: Names of the tensors that stay put and are the same in all posteriors.

    Raises:
        LambdascopeError: naming the first posterior that does not fit the others, and why.
    """

    def __init__(self, posteriors: Sequence[LocalPosterior], device: torch.device) -> None:
        first = posteriors[0]
        for position, other in enumerate(posteriors[1:], start=1):
            _check_fit(first, other, position)
        self.objective: Objective = first.objective
        self.dtype = first.w_star.dtype
        self.device = device
        self.w_star = torch.stack([p.w_star.to(device) for p in posteriors])
        self._column = {
            name: torch.tensor(
                [[float(getattr(p, name))] for p in posteriors], dtype=self.dtype, device=device
            )
            for name in ("nbeta", "localization", "weight_decay")
        }
        self.mask = _stack([p.mask for p in posteriors], 1.0, self.w_star)
        self.normal = _stack([p.normal for p in posteriors], 0.0, self.w_star)
        self._num_free = torch.tensor(
            [float(p.num_free) for p in posteriors], dtype=self.dtype, device=device
        )
        self._gather_data([p.samples for p in posteriors])
        self._gather_held([p.held for p in posteriors])

    @property
    def has_data(self) -> bool:
        """False for a bare potential."""
        # Not bool(self.data): the compiler of PyTorch 2.11 does not trace that.
        return len(self.data) > 0

    def of_chains(
        self, which: Sequence[int], keys: Tensor, step_factors: Sequence[float] | None = None
    ) -> ChainTensors:
        """The tensors of chains, chain c belonging to posterior `which[c]`."""
        step_factor = None
        if step_factors is not None:
            step_factor = torch.tensor(step_factors, dtype=self.dtype, device=self.device)[:, None]
        index = torch.tensor(which, device=self.device)
        column = {name: values[index] for name, values in self._column.items()}
        return ChainTensors(
            w_star=self.w_star[index],
            num_samples=self._num_samples[index],
            offset=self._offset[index],
            keys=keys.to(self.device),
            mask=None if self.mask is None else self.mask[index],
            normal=None if self.normal is None else self.normal[index],
            num_free=self._num_free[index],
            step_factor=step_factor,
            held={
                name: tensor if name in self.shared_held else tensor[index]
                for name, tensor in self._held.items()
            },
            **column,
        )

    def full_batch(self) -> tuple[Tensor, ...]:
        """The data as one batch that all chains share.

        Raises:
            LambdascopeError: if the posteriors have different data.
        """
        if self.num_data_sets > 1:
            raise LambdascopeError(
                f"batch_size=None (full batch) with {self.num_data_sets} different data sets in "
                "one call; give a batch_size, or sample the posteriors in separate calls."
            )
        return self.data

    def _gather_data(self, sets: Sequence[SampleSet]) -> None:
        """Lay the distinct data sets one after the other; remember where each begins."""
        self.rebuild = sets[0].rebuild
        firsts = _first_of_same_data(sets)
        distinct = [samples for place, samples in enumerate(sets) if firsts[place] == place]
        starts, position = {}, 0
        for place in dict.fromkeys(firsts):
            starts[place] = position
            position += sets[place].num_samples
        self.num_data_sets = len(distinct)
        self.data = tuple(
            torch.cat(pieces).to(self.device) if len(pieces) > 1 else pieces[0].to(self.device)
            for pieces in zip(*(samples.tensors for samples in distinct), strict=True)
        )
        offsets = [starts[place] for place in firsts]
        self._offset = torch.tensor(offsets, device=self.device)[:, None]
        counts = [samples.num_samples for samples in sets]
        self._num_samples = torch.tensor(counts, device=self.device)[:, None]

    def _gather_held(self, held: Sequence[dict[str, Tensor]]) -> None:
        self.shared_held: set[str] = set()
        self._held: dict[str, Tensor] = {}
        for name, tensor in held[0].items():
            if all(torch.equal(tensor, other[name].to(tensor.device)) for other in held[1:]):
                self.shared_held.add(name)
                self._held[name] = tensor.to(self.device)
            else:
                self._held[name] = torch.stack([other[name] for other in held]).to(self.device)


def _stack(pieces: Sequence[Tensor | None], neutral: float, like: Tensor) -> Tensor | None:
    """[posterior, param], `neutral` where a posterior has none; None where none has."""
    if all(piece is None for piece in pieces):
        return None
    return torch.stack(
        [torch.full_like(like[0], neutral) if piece is None else piece.to(like) for piece in pieces]
    )


def by_data_set(posteriors: Sequence[LocalPosterior]) -> list[list[int]]:
    """Positions of the posteriors that share a data set, group by group, in order.

    Raises:
        LambdascopeError: as `PosteriorStack`, for posteriors that cannot be sampled in one call.
    """
    for position, other in enumerate(posteriors[1:], start=1):
        _check_fit(posteriors[0], other, position)
    groups: dict[int, list[int]] = {}
    for position, first in enumerate(_first_of_same_data([p.samples for p in posteriors])):
        groups.setdefault(first, []).append(position)
    return list(groups.values())


def _first_of_same_data(sets: Sequence[SampleSet]) -> list[int]:
    """Of each set, the place of the first one with the same samples."""
    firsts: list[int] = []
    for place, samples in enumerate(sets):
        known = (first for first in dict.fromkeys(firsts) if _same_data(sets[first], samples))
        firsts.append(next(known, place))
    return firsts


def _same_data(one: SampleSet, other: SampleSet) -> bool:
    return all(
        a is b or (a.shape == b.shape and a.device == b.device and torch.equal(a, b))
        for a, b in zip(one.tensors, other.tensors, strict=True)
    )


def _check_fit(first: LocalPosterior, other: LocalPosterior, position: int) -> None:
    if first.layout != other.layout:
        raise LambdascopeError(
            f"posterior {position} samples parameters {_shapes(other)}, the first one "
            f"{_shapes(first)}; posteriors of equal shape are accepted in one call."
        )
    difference = first.objective.difference(other.objective)
    if difference:
        raise LambdascopeError(
            f"posterior {position} has another model structure or loss than the first "
            f"({difference}); posteriors that share both are accepted in one call."
        )
    if first.w_star.dtype != other.w_star.dtype:
        raise LambdascopeError(
            f"posterior {position} is {other.w_star.dtype}, the first one {first.w_star.dtype}; "
            "one type is accepted in one call."
        )
    kinds = [
        [(tensor.dtype, tensor.shape[1:]) for tensor in posterior.samples.tensors]
        for posterior in (first, other)
    ]
    if kinds[0] != kinds[1] or first.samples.structure != other.samples.structure:
        raise LambdascopeError(
            f"posterior {position} has data of another shape, type or structure than the first; "
            "samples of one kind are accepted in one call."
        )


def _shapes(posterior: LocalPosterior) -> dict[str, list[int]]:
    return {
        name: list(shape)
        for name, shape in zip(posterior.layout.names, posterior.layout.shapes, strict=True)
    }
