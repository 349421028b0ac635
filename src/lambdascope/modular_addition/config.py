"""The settings of a training run on modular addition, each written once."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lambdascope.config import Config

Task = Literal["addition", "random", "commutative_random"]
Activation = Literal["relu", "gelu", "quadratic"]

Architecture = Literal["mlp", "transformer"]

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Decay = Annotated[float, Field(ge=0, lt=1)]

# What a transformer's settings are where they are left alone: model and training of Zhong et al.
# 2023, arXiv 2306.17844. The hidden size is 4 × embed_dim.
_TRANSFORMER: dict[str, Any] = {
    "p": 59,
    "train_fraction": 0.8,
    "embed_dim": 128,
    "activation": "relu",
    "optimizer": "adamw",
    "learning_rate": 0.001,
    "beta2": 0.98,
    "weight_decay": 2.0,
    "num_warmup_steps": 10,
    "loss_precision": "float64",
    "num_steps": 20_000,
}

# Settings of one architecture, which the other has no use for.
_ONLY_MLP = ("tie_linear", "tie_unembed", "linear_scale", "freeze_middle")
_ONLY_TRANSFORMER = ("attention_rate", "num_heads", "equals_token")


def foreign_settings(network: Architecture) -> tuple[str, ...]:
    """The settings that a network of this architecture has no use for."""
    return _ONLY_MLP if network == "transformer" else _ONLY_TRANSFORMER


class TrainConfig(Config):
    """Everything that decides a training run: the same settings give the same weights.

    Raises:
        LambdascopeError: a value is unknown or impossible.
    """

    p: Annotated[int, Field(ge=2, lt=2**31)] = 53
    """The modulus: there are p² pairs (a, b). It need not be prime."""
    task: Task = "addition"
    """The labels: a + b mod p; random, fixed by a hash of (data seed, a, b); or random and the same
    for (a, b) and (b, a)."""
    train_fraction: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Share of the pairs in the training set, above 0 and at most 1."""

    network: Architecture = "mlp"
    """The architecture: mlp is an embedding, one hidden layer, an unembedding; transformer is one
    layer of attention and MLP. A transformer's settings left alone are those of the clock-and-pizza
    study: p 59, train fraction 0.8, embed_dim 128, hidden size 4 × embed_dim, relu, full batch,
    adamw with learning rate 0.001, beta2 0.98, weight decay 2, 10 warm-up steps, loss in float64,
    20,000 steps."""
    attention_rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share α of softmax attention, from 0 to 1: attention weights are α·softmax + (1 − α)·1."""
    num_heads: Count = 4
    """Attention heads of a transformer; a divisor of embed_dim."""
    equals_token: bool = False
    """Give a transformer the three tokens a, b, = and read the answer at the last, instead of the
    two tokens a, b."""
    embed_dim: Count = 12
    """Coordinates of a token's embedding."""
    hidden_size: Count = 48
    """Units of the hidden layer."""
    activation: Activation = "gelu"
    """The hidden units' nonlinearity; quadratic is x²."""
    tie_linear: bool = False
    """Use one linear map for both operands instead of one for each."""
    tie_unembed: bool = False
    """Map the hidden layer back to the embedding space and read the logits off by the embedding."""
    embed_scale: PositiveFloat = 1.0
    """Factor on the initial embedding, whose entries are then N(0, 1) times this."""
    linear_scale: PositiveFloat = 1.0
    """Factor on the initial weights of the linear maps from the embedding to the hidden layer."""
    freeze_middle: bool = False
    """Keep the layers between embedding and unembedding at their initial weights."""

    optimizer: Literal["adam", "adamw"] = "adam"
    """Where the weight decay acts: adam adds it to the gradient (coupled, L2), adamw shrinks the
    weights by learning_rate × weight_decay a step (decoupled)."""
    learning_rate: PositiveFloat = 0.005
    """Step size of the optimiser, in units of a weight."""
    beta1: Decay = 0.9
    """Decay a step of Adam's mean of gradients, from 0 to below 1."""
    beta2: Decay = 0.999
    """Decay a step of Adam's mean of squared gradients, from 0 to below 1."""
    num_warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Steps over which the learning rate rises in proportion to the step."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0002
    """Strength of the weight decay, in loss per squared weight (adam) or per step (adamw)."""
    batch_size: Count = 128
    """Pairs in a minibatch, drawn with replacement (so it may exceed the training set)."""
    full_batch: bool = False
    """Take the whole training set in every step; batch_size is then not used. A transformer does so
    unless a batch_size is given."""
    loss_precision: Literal["float32", "float64"] = "float32"
    """Precision of the softmax in the loss: in float32, the gradient of a sure answer vanishes."""
    num_steps: Count = 1500
    """Optimiser steps."""
    num_final_steps_without_weight_decay: Annotated[int, Field(ge=0)] = 0
    """Steps at the end of training that have no weight decay."""

    num_checkpoints: Annotated[int, Field(ge=2, le=100_000)] = 25
    """Checkpoints kept, the initial and the final weights among them."""
    checkpoint_spacing: Literal["even", "log"] = "even"
    """Even in the step, or (after the initial weights) as even as can be in its logarithm."""
    seed: Seed = 0
    """Decides the initial weights and the minibatches."""
    data_seed: Seed | None = None
    """Decides the split and the random labels; None takes the seed above."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("network") != "transformer":
            return values
        filled = {**_TRANSFORMER, "full_batch": "batch_size" not in values, **values}
        try:
            return {"hidden_size": 4 * int(filled["embed_dim"]), **filled}
        except (TypeError, ValueError):
            return filled  # the embedding's size is refused below, by its own name

    @model_validator(mode="after")
    def _fits_the_architecture(self) -> "TrainConfig":
        for name in foreign_settings(self.network):
            value, default = getattr(self, name), type(self).model_fields[name].default
            if value != default:
                raise ValueError(
                    f"{name}={value!r} is no setting of a network={self.network!r}: it should be "
                    f"left at {default!r}"
                )
        if self.network == "transformer" and self.embed_dim % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} does not divide embed_dim={self.embed_dim}: it should "
                "be one of its divisors"
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainConfig":
        num_pairs = self.p**2
        if self.num_train < 1:
            raise ValueError(
                f"train_fraction={self.train_fraction} of the {num_pairs} pairs at p={self.p} "
                "leaves "
                f"an empty training set: it should be at least {1 / num_pairs:.3g}"
            )
        if self.num_checkpoints > self.num_steps + 1:
            raise ValueError(
                f"num_checkpoints={self.num_checkpoints} is more than the {self.num_steps + 1} "
                f"states of a run of num_steps={self.num_steps}: it should be 2 to "
                f"{self.num_steps + 1}"
            )
        if self.num_final_steps_without_weight_decay > self.num_steps:
            raise ValueError(
                f"num_final_steps_without_weight_decay={self.num_final_steps_without_weight_decay} "
                f"is more than num_steps: it should be 0 to {self.num_steps}"
            )
        return self

    @property
    def resolved_data_seed(self) -> int:
        """The seed of the split and of random labels."""
        return self.seed if self.data_seed is None else self.data_seed

    @property
    def num_train(self) -> int:
        """Pairs in the training set: int(train_fraction · p²), as the older code had it."""
        return int(self.train_fraction * self.p**2)

    @property
    def checkpoint_steps(self) -> list[int]:
        """Optimiser steps taken before each checkpoint: ascending, from 0 to num_steps.

        Even spacing takes checkpoint i after round(i·num_steps / (num_checkpoints − 1)) steps. Log
        spacing goes on from step 1 in equal ratios, by at least one step each time, so the count is
        kept: the first ones are then neighbours.
        """
        last = self.num_checkpoints - 1
        if self.checkpoint_spacing == "even":
            return [round(i * self.num_steps / last) for i in range(last + 1)]
        steps = [0, 1] if last > 1 else [0]
        while len(steps) < last:
            remaining = last + 1 - len(steps)
            ratio = (self.num_steps / steps[-1]) ** (1 / remaining)
            room = self.num_steps - remaining + 1
            steps.append(max(steps[-1] + 1, min(round(steps[-1] * ratio), room)))
        return [*steps, self.num_steps]
