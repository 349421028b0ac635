"""What axes and quantities of a sweep are called in its figures."""

LABELS = {
    "llc": "Learning coefficient λ̂",
    "llc_stderr": "Standard error of λ̂",
    "llc_uncorrected": "λ̂ before correction",
    "train_loss": "Train loss (nats)",
    "test_loss": "Test loss (nats)",
    "train_accuracy": "Train accuracy (share)",
    "test_accuracy": "Test accuracy (share)",
    "weight_norm": "Weight norm ‖w‖",
    "step": "Training step",
    "num_circuits": "Circuits (count)",
    "effective_circuits": "Circuits by their share of the logits (count)",
    "effective_dimension": "Effective dimension",
    "hessian_trace": "Trace of the Hessian (loss / parameter²)",
    "hessian_largest": "Largest eigenvalue of the Hessian (loss / parameter²)",
    "hessian_smallest": "Smallest eigenvalue of the Hessian (loss / parameter²)",
    "rank": "Rank",
    "eigenvalue": "Eigenvalue of the Hessian (loss / parameter²)",
    "rhat": "Agreement of the chains, R-hat",
    "ess": "Effective draws (count)",
    "nbeta": "Inverse temperature nβ (1 / loss)",
    "exact": "Exact value",
    "loss": "Loss at w*",
    "status": "Verdict on λ̂",
    "circuits": "Frequencies of the circuits",
    "system": "System",
    "train.p": "Modulus p",
    "train.task": "Task",
    "train.train_fraction": "Train fraction (share of all pairs)",
    "train.network": "Architecture",
    "train.attention_rate": "Attention rate α (share of softmax)",
    "train.num_heads": "Attention heads (count)",
    "train.equals_token": "Token for =",
    "train.embed_dim": "Embedding size (coordinates)",
    "train.hidden_size": "Hidden size (units)",
    "train.activation": "Activation",
    "train.tie_linear": "One linear map for both operands",
    "train.tie_unembed": "Unembedding tied to the embedding",
    "train.embed_scale": "Initial scale of the embedding (factor)",
    "train.linear_scale": "Initial scale of the linear maps (factor)",
    "train.freeze_middle": "Middle layers frozen",
    "train.optimizer": "Optimiser",
    "train.learning_rate": "Learning rate (weight)",
    "train.beta1": "Adam's β₁ (decay / step)",
    "train.beta2": "Adam's β₂ (decay / step)",
    "train.num_warmup_steps": "Warm-up (steps)",
    "train.weight_decay": "Weight decay (adam: loss / weight², adamw: 1 / step)",
    "train.batch_size": "Minibatch in training (pairs)",
    "train.full_batch": "Full batch in training",
    "train.loss_precision": "Precision of the loss in training",
    "train.num_steps": "Length of training (steps)",
    "train.num_final_steps_without_weight_decay": "End of training without weight decay (steps)",
    "train.num_checkpoints": "Checkpoints (count)",
    "train.checkpoint_spacing": "Spacing of checkpoints",
    "train.seed": "Seed",
    "train.data_seed": "Seed of the data",
    "llc.num_chains": "Chains (count)",
    "llc.num_steps": "Length of a chain (steps)",
    "llc.step_size": "Step size ε (parameter²)",
    "llc.batch_size": "Minibatch of the chains (samples)",
    "llc.burnin": "Burn-in (share of a chain)",
    "llc.target_error": "Target error (relative to λ̂)",
    "llc.max_steps": "Most steps of a chain (count)",
    "llc.localization": "Localisation γ (1 / parameter²)",
    "llc.orthogonal_to_gradient": "Chains orthogonal to the gradient",
    "llc.parameters": "Parameters that move",
    "llc.nbeta": "Inverse temperature nβ (1 / loss)",
    "llc.n_multiplier": "n_multiplier m, in nβ = m n / log(m n)",
    "llc.temp_multiplier": "Temperature, in units of log n / n",
    "llc.logit_scale": "Factor κ on the logits",
    "llc.weight_decay": "Weight decay of the posterior (loss / parameter²)",
    "llc.seed": "Seed of the chains",
    "circuits.error_rate": "Error rate of the search for circuits (chance)",
    "hessian.top": "Largest eigenvalues (count)",
    "hessian.bottom": "Smallest eigenvalues (count)",
    "hessian.parameters": "Parameters of the Hessian",
    "hessian.weight_decay": "Weight decay in the Hessian",
    "hessian.num_probes": "Random starts (count)",
    "hessian.num_lanczos_steps": "Lanczos steps (count)",
    "hessian.seed": "Seed of the random starts",
    "measure.llc": "Where λ̂ is measured",
    "measure.circuits": "Where circuits are counted",
    "measure.hessian": "Where the Hessian is measured",
    "potential.kind": "Kind of potential",
    "potential.powers": "Powers",
    "potential.coefficient": "Coefficient c (loss / parameterᵖ)",
    "potential.curvatures": "Curvatures (loss / parameter²)",
    "potential.quartic": "Quartic coefficient q (loss / parameter⁴)",
    "potential.epsilon": "ε of the potential (parameter²)",
    "network.activation": "Activation",
    "network.hidden_size": "Hidden size (units)",
    "network.num_samples": "Samples n (count)",
    "network.noise_std": "Noise on the targets (standard deviation)",
    "network.num_steps": "Length of training (steps)",
    "network.seed": "Seed",
}
_SHORT = {
    "train.p": "p =",
    "train.train_fraction": "train fraction",
    "train.hidden_size": "hidden",
    "train.embed_dim": "embedding",
    "llc.n_multiplier": "n ×",
    "llc.temp_multiplier": "T =",
    "llc.step_size": "ε =",
    "llc.localization": "γ =",
    "llc.nbeta": "nβ =",
    "train.num_steps": "steps",
    "network.hidden_size": "hidden",
    "network.num_samples": "n =",
}
# Families that say what they are.
_SELF_EVIDENT = ("task", "activation", "system", "circuits", "status")


def label_of(name: str) -> str:
    """What an axis or a quantity is called in figures, with its unit."""
    return LABELS.get(name, name)


def plain(name: str) -> str:
    """What it is called, without its unit."""
    return label_of(name).split(" (")[0]


def lower(name: str) -> str:
    """What it is called within a sentence."""
    text = plain(name)
    return text[0].lower() + text[1:]


def symbol(name: str) -> str:
    """Its symbol, or what it is called within a sentence."""
    return {"llc": "λ̂", "train.p": "p"}.get(name, lower(name))


def family_label_of(name: str) -> str:
    """What stands before a family's value; empty where the value says what it is."""
    field = name.rpartition(".")[2]
    return "" if field in _SELF_EVIDENT else _SHORT.get(name, field.replace("_", " "))


def value_name(axis: str, value: object) -> str:
    """What one value of an axis is called."""
    return f"{family_label_of(axis)} {str(value).replace('_', ' ')}".strip()
