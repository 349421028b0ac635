"""Every command by name, in the order of the program's help: what each is for, in a line.

A command's declaration is the class `Command` in the module of its name. Only the one that is asked
for is imported.
"""

from collections.abc import Mapping
from types import MappingProxyType

GROUPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Make a run": {
            "demo": "Train the README's example network, study it, and make its page.",
            "train": "Train networks on modular addition and keep their checkpoints.",
            "import-legacy": "Read the older code's parameter file and checkpoints as a run.",
        },
        "Study a run": {
            "llc": "Estimate the local learning coefficient of a run's checkpoints.",
            "fourier": "Follow the Fourier modes of a run's network over training.",
            "circuits": "Find a network's circuits, when they formed, and of which kind they are.",
            "chains": "Sample chains around checkpoints and look at the points along them.",
            "hessian": "Compute the Hessian's leading eigenvalues, its density and its trace.",
        },
        "Study many": {
            "sweep": "Run a grid of trainings and estimates from a file, and draw what stands.",
        },
        "Show it": {
            "report": "Put all that stands of a run or a sweep on one page that opens anywhere.",
        },
        "The instrument itself": {
            "calibrate": "Hold the estimator against systems whose coefficient is known.",
            "completion": "Print the completion of commands and flags for a shell.",
        },
    }
)

SUMMARIES: Mapping[str, str] = MappingProxyType(
    {name: summary for group in GROUPS.values() for name, summary in group.items()}
)


def module_of(name: str) -> str:
    """The module that declares a command."""
    return f"lambdascope.cli.{name.replace('-', '_')}"
