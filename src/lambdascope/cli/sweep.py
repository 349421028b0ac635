"""`lambdascope sweep`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from lambdascope.cli.shared import BaseCommand, Outcome, Switch
from lambdascope.errors import LambdascopeError


@dataclass(frozen=True, kw_only=True)
class Command(BaseCommand):
    """Cells of one shape train and are sampled as one batch, and each is recorded as it comes.

    A cell that stands is never worked out again; with a failed one, run ends with exit code 1.

    Reads the sweep's file. Writes cells/, sweep.csv and the file's figures. How long it takes,
    --dry-run says beforehand.

    Example:
      lambdascope sweep run examples/sweeps/llc_vs_p.toml --dry-run
      lambdascope sweep run examples/sweeps/llc_vs_p.toml --engine processes --workers 2
      lambdascope sweep run examples/sweeps/llc_vs_p.toml --engine ray --address auto
      lambdascope sweep status examples/sweeps/llc_vs_p.toml
    """

    action: tyro.conf.Positional[Literal["run", "status", "table", "plot"]]
    """run works out what is missing; status counts; table writes sweep.csv; plot draws as well."""
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE.toml")]
    """What varies, what is measured, which figures are wanted."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """The directory of the results (default: runs/ and the file's name)."""
    engine: Literal["local", "processes", "ray"] = "local"
    """Who works: this process, several on this machine, or a Ray cluster (extra `ray`)."""
    workers: Annotated[str | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")] = None
    """Worker processes, or tasks on the cluster at once (default: one a core)."""
    address: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT", help_behavior_hint="")] = None
    """The Ray cluster, to which this machine belongs, or auto (default: one is started here)."""
    dry_run: Switch = False
    """List the cells, which stand or failed and what the rest will take, and run nothing."""
    retry_failed: Switch = False
    """Work on failed cells again: on what failed of them, where other parts stand."""

    @property
    def resumes(self) -> bool:
        """From the cells that stand."""
        return self.action == "run"

    def run(self) -> Outcome[Any]:
        """Do what the action says."""
        from lambdascope.commands import sweep_standing as standing
        from lambdascope.commands.sweep import Sweep

        sweep = Sweep(self.file, self.out)
        if self.action == "status":
            return Outcome(standing.status_of(sweep), standing.print_status)
        if self.action == "run" and self.dry_run:
            preview = standing.preview_of(sweep, retry_failed=self.retry_failed)
            return Outcome(preview, standing.print_preview)
        if self.action == "run":
            table = sweep.run(
                self.engine,
                self._num_workers,
                address=self.address,
                retry_failed=self.retry_failed,
                progress=self.progress,
            )
        else:
            table = sweep.table() if self.action == "table" else sweep.draw()
        complaint = ""
        if self.action == "run" and (failed := sweep.failed()):
            complaint = (
                f"{len(failed)} of {len(sweep.plan.cells)} cells failed; --retry-failed works on "
                "them again"
            )
        return Outcome(standing.result_of(sweep, table), standing.print_result, complaint)

    @property
    def _num_workers(self) -> int | None:
        if self.workers is None or self.workers.isdecimal():
            return None if self.workers is None else int(self.workers)
        raise LambdascopeError(f"workers={self.workers!r}: a whole number from 1 on is accepted")
