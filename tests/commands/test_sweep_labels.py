"""What axes and quantities are called in a sweep's figures."""

from lambdascope.commands.sweep_labels import family_label_of, label_of, lower
from lambdascope.commands.sweep_systems import SYSTEMS

# Nobody draws a figure over these.
_NO_AXES = {"device", "checkpoints", "check_step"}
# A sweep refuses them: the effective dimension takes those of λ̂.
_REFUSED = {"hessian.localization", "hessian.nbeta"}


def test_every_axis_and_quantity_has_a_name_of_its_own() -> None:
    for system in SYSTEMS.values():
        vocabulary = system.vocabulary
        axes = {
            f"{section}.{field}"
            for section, settings in vocabulary.sections.items()
            for field in settings.model_fields
            if field not in _NO_AXES
        }
        names = {*axes, *vocabulary.quantities, *vocabulary.labels} - _REFUSED
        assert [name for name in names if label_of(name) == name] == []


def test_units_stand_in_labels_and_not_within_sentences() -> None:
    assert label_of("train.learning_rate") == "Learning rate (weight)"
    assert lower("train.weight_decay") == "weight decay"
    assert family_label_of("train.learning_rate") == "learning rate"
