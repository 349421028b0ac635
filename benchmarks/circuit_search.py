"""How well the search for circuits counts: planted, untrained, memorised and trained networks.

    python -m benchmarks.circuit_search [--planted 500] [--untrained 300] [--memorised 100]
                                       [--memorised-addition 48] [--tied 120]

The asked figures: planted circuits (1 to 6, signal-to-noise 2 to 50, logits of any size) counted
exactly in 98 % of the cases or more; at most 2 % of untrained networks and of those that memorised
random labels with one; of trained networks, 95 % of the accuracy kept by the circuits alone, and
chance ± 3 points without. Of trained networks it is also asked whether the same circuits are found
with logits of another size, and with tests 3 and 4 made at another loss.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from benchmarks.circuit_search_text import show
from benchmarks.environment import describe_environment, write_json
from lambdascope.modular_addition.architectures import Network, make_network
from lambdascope.modular_addition.circuit_effects import modes_that_matter
from lambdascope.modular_addition.circuit_null import power_ratios
from lambdascope.modular_addition.circuits import (
    ERROR_RATE,
    LOSS_SHARE,
    alignment_alone,
    find_circuits,
    on_their_circles,
)
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.planted import planted_network
from lambdascope.modular_addition.probing import token_embedding
from lambdascope.modular_addition.training import train

RESULT = Path(__file__).parent / "results" / "circuit_search.json"
MODULI = (53, 59, 47, 61, 60, 49)
EMBED_DIMS = (12, 16, 24, 32)
TIED_MODULI = (31, 31, 22)
SIGNAL_TO_NOISE = (2.0, 5.0, 10.0, 20.0, 50.0)
SCALES = (0.1, 1.0, 10.0, 100.0)
"""Factors on the logits."""
OTHER_LOSS_SHARES = (0.25, 0.75)
TRAINED = {
    "embed 8, hidden 32": {"embed_dim": 8, "hidden_size": 32},
    "embed 16, hidden 64": {"embed_dim": 16, "hidden_size": 64},
    "embed 24, hidden 64": {"embed_dim": 24, "hidden_size": 64},
}
NUM_SEEDS = 6
FORCED = 5
"""Modes that test 1 is made to let through, of networks that memorised."""
PASSED = ("test 2", "tests 3 and 4", "tests 2 to 4")
OTHER_MEMORISED = 40
"""Networks that memorised random labels: tied ones, and those of strong weight decay."""
STRONG_DECAY = {"weight_decay": 1e-3, "num_steps": 6000}
"""The strongest, and long enough, with which they still memorise all."""


def planted(count: int) -> dict[str, Any]:
    """Cases of 1 to 6 circuits at every signal-to-noise and scale, as many of each.

    Modulus (one even, one composite) and embedding size are drawn.
    """
    random = torch.Generator().manual_seed(1)
    cases, wrong = Counter[tuple[str, float]](), []
    for case in range(count):
        signal_to_noise = SIGNAL_TO_NOISE[case % 5]
        num_circuits = 1 + case // 5 % 6
        scale = SCALES[case // 30 % 4]
        p = MODULI[int(torch.randint(len(MODULI), (), generator=random))]
        embed_dim = EMBED_DIMS[int(torch.randint(len(EMBED_DIMS), (), generator=random))]
        order = torch.randperm((p - 1) // 2, generator=random)
        frequencies = sorted((order[:num_circuits] + 1).tolist())
        network = planted_network(
            p, frequencies, embed_dim=embed_dim, signal_to_noise=signal_to_noise, seed=case
        )
        found = sorted(find_circuits(scaled(network, scale)).frequencies)
        settings = {"signal_to_noise": signal_to_noise, "scale": scale}
        cases.update(settings.items())
        if found != frequencies:
            case_of = {"p": p, "embed_dim": embed_dim, **settings}
            wrong.append({**case_of, "planted": frequencies, "found": found})
    by = [
        {name: value, "cases": number, "exact": number - sum(row[name] == value for row in wrong)}
        for (name, value), number in sorted(cases.items())
    ]
    return {"cases": count, "exact": count - len(wrong), "by": by, "wrong": wrong}


def untrained(count: int) -> dict[str, Any]:
    """Networks with their initial weights, of both architectures."""
    hits = []
    for seed in range(count):
        settings: dict[str, Any] = {"embed_dim": EMBED_DIMS[seed % 4], "seed": seed}
        if seed % 3 == 0:
            settings |= {"network": "transformer", "p": 31}
        found = find_circuits(make_network(TrainConfig(**settings)))
        if found.circuits:
            hits.append({"seed": seed, "found": found.frequencies})
    return {"cases": count, "with_circuits": hits}


def memorised(count: int, **others: Any) -> dict[str, Any]:
    """Networks that memorised random labels of all pairs, half of them commutative ones.

    Test 1 lets none of their modes through, so that the others are also made of the largest ones
    as if it had; and tests 3 and 4 as if test 2 had, too.
    """
    settings = {"num_steps": 2000, **others}
    configs = [
        TrainConfig(
            p=31,
            task="random" if seed % 2 else "commutative_random",
            embed_dim=16,
            hidden_size=96,
            train_fraction=1.0,
            num_checkpoints=2,
            seed=seed,
            **settings,
        )
        for seed in range(count)
    ]
    hits, accuracies, counts = [], [], Counter[str]()
    for run in train(configs):
        accuracies.append(run.metrics[-1].train_accuracy)
        network = with_weights(run.config, run.weights[-1])
        found = find_circuits(network)
        if found.circuits:
            hits.append({"seed": run.config.seed, "found": found.frequencies})
        counts.update(past_test_1(network))
    return {
        "cases": count,
        "settings": settings,
        "with_circuits": hits,
        "modes_let_through": FORCED * count,
        "modes_that_pass": {name: counts[name] for name in PASSED},
        "lowest_train_accuracy": min(accuracies),
        "mean_train_accuracy": sum(accuracies) / count,
    }


def memorised_addition(count: int) -> dict[str, Any]:
    """Networks that memorised a part of addition too small to learn it from, half of them tied.

    What they hold is no random table: a circuit that begins to form is no mistake.
    """
    configs = [
        TrainConfig(
            p=31,
            embed_dim=16,
            hidden_size=48,
            train_fraction=0.25 if seed % 2 else 0.15,
            tie_unembed=seed < count // 2,
            num_steps=3000,
            num_checkpoints=2,
            seed=seed,
        )
        for seed in range(count)
    ]
    hits, train_accuracies, test_accuracies = [], [], []
    for run in [*train(configs[: count // 2]), *train(configs[count // 2 :])]:
        train_accuracies.append(run.metrics[-1].train_accuracy)
        test_accuracies.append(run.metrics[-1].test_accuracy)
        found = find_circuits(with_weights(run.config, run.weights[-1]))
        if found.circuits:
            hits.append({"seed": run.config.seed, "found": found.frequencies})
    return {
        "cases": count,
        "with_circuits": hits,
        "lowest_train_accuracy": min(train_accuracies),
        "highest_test_accuracy": max(test_accuracies),
    }


def past_test_1(network: Network) -> dict[str, int]:
    """How many of the largest modes pass which of the other tests, where test 1 lets them through.

    Returns:
        a count for each of `PASSED`.
    """
    embedding = token_embedding(network)
    order = (power_ratios(embedding).argsort(descending=True) + 1).tolist()
    largest, noise = order[:FORCED], order[FORCED:]
    aligned = {mode: alignment_alone(network, embedding, mode) for mode in largest}
    on_circles = on_their_circles(network, aligned, ERROR_RATE)
    passed = (
        on_circles,
        modes_that_matter(network, embedding, largest, noise, LOSS_SHARE),
        modes_that_matter(network, embedding, on_circles, noise, LOSS_SHARE),
    )
    return dict(zip(PASSED, map(len, passed), strict=True))


def tied(count: int) -> dict[str, Any]:
    """Networks whose embedding reads the answer: untrained, with a planted circle, and trained.

    The circle is planted in the embedding alone; the map between does not add with it.
    """
    sizes: dict[str, Any] = {"hidden_size": 48, "tie_unembed": True}
    untrained, in_the_embedding, modes, aligned_modes = 0, 0, 0, 0
    for seed in range(count):
        p = TIED_MODULI[seed % len(TIED_MODULI)]
        config = TrainConfig(**sizes, p=p, embed_dim=EMBED_DIMS[seed % 4], seed=seed)
        network = make_network(config)
        untrained += bool(find_circuits(network).circuits)
        for each, by_itself in all_alignments(network):
            modes += 1
            aligned_modes += bool(on_their_circles(network, {each: by_itself}, ERROR_RATE))
        # For even p the wave without a sine.
        mode = 1 + seed % (p // 2) if p % 2 else p // 2
        angle = 2 * math.pi * mode / p * torch.arange(p)
        random = torch.Generator().manual_seed(seed)
        plane, _ = torch.linalg.qr(torch.randn(config.embed_dim, 2, generator=random))
        with torch.no_grad():
            circle = torch.stack([angle.cos(), angle.sin()], dim=1) @ plane.T
            network.embedding.weight.add_(3 * circle)
        in_the_embedding += mode in find_circuits(network).frequencies
    configs = [
        TrainConfig(
            embed_dim=16,
            hidden_size=64,
            tie_unembed=True,
            num_steps=3000,
            num_checkpoints=2,
            seed=s,
        )
        for s in range(NUM_SEEDS)
    ]
    rows = []
    for run in train(configs):
        found = find_circuits(with_weights(run.config, run.weights[-1]))
        rows.append(
            {
                "seed": run.config.seed,
                "test_accuracy": run.metrics[-1].test_accuracy,
                "frequencies": found.frequencies,
                "kept_share": found.accuracy_kept / found.accuracy,
                "removed_minus_chance": found.accuracy_removed - 1 / run.config.p,
            }
        )
    return {
        "cases": count,
        "untrained_with_circuits": untrained,
        "untrained_modes": modes,
        "untrained_modes_that_pass_test_2_by_themselves": aligned_modes,
        "planted_in_the_embedding_alone_and_called_a_circuit": in_the_embedding,
        "memorised": memorised(OTHER_MEMORISED, tie_unembed=True),
        "trained": rows,
    }


def all_alignments(network: Network) -> Iterator[tuple[int, tuple[float, float, bool]]]:
    """Every mode and its alignment, whether or not it passes test 1."""
    embedding = token_embedding(network)
    for mode in range(1, network.p // 2 + 1):
        yield mode, alignment_alone(network, embedding, mode)


def trained(num_steps: int) -> list[dict[str, Any]]:
    """Networks trained at p = 53, several seeds of each size."""
    rows = []
    for name, sizes in TRAINED.items():
        configs = [
            TrainConfig(**sizes, num_steps=num_steps, num_checkpoints=2, seed=seed)
            for seed in range(NUM_SEEDS)
        ]
        for run in train(configs):
            network = with_weights(run.config, run.weights[-1])
            found = find_circuits(network)
            others = [find_circuits(network, loss_share=share) for share in OTHER_LOSS_SHARES]
            others += [find_circuits(scaled(network, scale)) for scale in SCALES if scale != 1]
            rows.append(
                {
                    "network": name,
                    "seed": run.config.seed,
                    "test_accuracy": run.metrics[-1].test_accuracy,
                    "circuits": len(found.circuits),
                    "effective_number": found.effective_number,
                    "frequencies": found.frequencies,
                    "same_otherwise": sum(o.frequencies == found.frequencies for o in others),
                    "searched_otherwise": len(others),
                    "accuracy": found.accuracy,
                    "kept_share": found.accuracy_kept / found.accuracy,
                    "removed_minus_chance": found.accuracy_removed - 1 / run.config.p,
                }
            )
    return rows


def with_weights(config: TrainConfig, weights: dict[str, torch.Tensor]) -> Network:
    """The network with these weights."""
    network = make_network(config)
    network.load_state_dict(weights)
    return network


def scaled(network: Network, scale: float) -> Network:
    """A copy whose logits are as many times as large; the unembedding is not tied."""
    copy = deepcopy(network)
    with torch.no_grad():
        copy.unembedding.weight.mul_(scale)
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--planted", type=int, default=500, help="planted cases")
    parser.add_argument("--untrained", type=int, default=300, help="untrained networks")
    parser.add_argument("--memorised", type=int, default=100, help="networks of random labels")
    parser.add_argument(
        "--memorised-addition", type=int, default=48, help="networks of a part of addition"
    )
    parser.add_argument("--tied", type=int, default=120, help="tied networks")
    parser.add_argument("--steps", type=int, default=3000, help="training steps of the trained")
    parser.add_argument("--out", type=Path, default=RESULT, help="where the JSON goes")
    arguments = parser.parse_args()
    environment = describe_environment()
    result = {
        "error_rate": ERROR_RATE,
        "loss_share": LOSS_SHARE,
        "planted": planted(arguments.planted),
        "untrained": untrained(arguments.untrained),
        "memorised": memorised(arguments.memorised),
        "memorised_with_strong_decay": memorised(OTHER_MEMORISED, **STRONG_DECAY),
        "memorised_addition": memorised_addition(arguments.memorised_addition),
        "tied": tied(arguments.tied),
        "trained": trained(arguments.steps),
    }
    show(result)
    write_json(arguments.out, {"environment": environment, "result": result})
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
