"""What `benchmarks.circuit_search` found, as lines to read."""

from __future__ import annotations

from typing import Any


def show_let_through(part: dict[str, Any]) -> None:
    passed = ", ".join(f"{name}: {count}" for name, count in part["modes_that_pass"].items())
    print(f"  of {part['modes_let_through']} modes let through by test 1 pass {passed}")


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    part = result["planted"]
    print(f"planted     {part['exact']} of {part['cases']} counted exactly (asked: 98 %)")
    for row in part["by"]:
        print("  " + ", ".join(f"{name} {value:g}" for name, value in row.items()))
    for name in ("untrained", "memorised", "memorised_with_strong_decay"):
        part = result[name]
        print(
            f"{name:11} {len(part['with_circuits'])} of {part['cases']} with a circuit (asked: 2 %)"
        )
        if "modes_that_pass" in part:
            show_let_through(part)
    part = result["memorised_addition"]
    print(
        f"memorised_addition {len(part['with_circuits'])} of {part['cases']} with a circuit; train "
        f"accuracy {part['lowest_train_accuracy']:.3f} or more, test accuracy "
        f"{part['highest_test_accuracy']:.3f} or less"
    )
    part = result["tied"]
    print(
        f"tied        {part['untrained_with_circuits']} of {part['cases']} untrained with a "
        f"circuit, {part['planted_in_the_embedding_alone_and_called_a_circuit']} with one that "
        f"is planted in the embedding alone; of {part['untrained_modes']} untrained modes "
        f"{part['untrained_modes_that_pass_test_2_by_themselves']} pass test 2 by themselves"
    )
    own = part["memorised"]
    print(f"  memorised: {len(own['with_circuits'])} of {own['cases']} with a circuit")
    show_let_through(own)
    print("  trained:")
    for row in part["trained"]:
        print(
            f"  seed {row['seed']}: {row['frequencies']}, kept {row['kept_share']:.1%}, removed "
            f"{row['removed_minus_chance']:+.1%}"
        )
    print(
        "\nnetwork               seed  test   circuits  effective  kept    removed  same otherwise"
    )
    for row in result["trained"]:
        missed = row["kept_share"] < 0.95 or abs(row["removed_minus_chance"]) > 0.03
        print(
            f"{row['network']:20}  {row['seed']:4}  {row['test_accuracy']:.3f}  "
            f"{row['circuits']:8}  {row['effective_number']:9.1f}  {row['kept_share']:6.1%}  "
            f"{row['removed_minus_chance']:+7.1%}  {row['same_otherwise']} of "
            f"{row['searched_otherwise']}{'  (misses)' if missed else ''}"
        )
