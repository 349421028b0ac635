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
    "train.p": "Modulus p",
    "train.task": "Task",
    "train.train_fraction": "Train fraction (share of all pairs)",
    "train.activation": "Activation",
    "train.hidden_size": "Hidden size (units)",
    "train.embed_dim": "Embedding size (coordinates)",
    "llc.n_multiplier": "n_multiplier m, in nβ = m n / log(m n)",
    "llc.temp_multiplier": "Temperature, in units of log n / n",
    "llc.step_size": "Step size ε (parameter²)",
    "llc.localization": "Localisation γ (1 / parameter²)",
    "llc.nbeta": "Inverse temperature nβ (1 / loss)",
    "network.activation": "Activation",
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
    return "" if field in _SELF_EVIDENT else _SHORT.get(name, field)


def value_name(axis: str, value: object) -> str:
    """What one value of an axis is called."""
    return f"{family_label_of(axis)} {str(value).replace('_', ' ')}".strip()
