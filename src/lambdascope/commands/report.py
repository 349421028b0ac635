"""`lambdascope report`: the page of a run, of a sweep, or of a folder of runs."""

from dataclasses import dataclass
from pathlib import Path

from lambdascope.commands.report_folder import is_folder_of_runs, read_folder
from lambdascope.commands.report_run import read_run
from lambdascope.commands.report_sweep import is_sweep, read_sweep
from lambdascope.errors import LambdascopeError
from lambdascope.reporting.page.run_page import finding_of, run_page
from lambdascope.reporting.page.sweep_page import sweep_finding, sweep_page
from lambdascope.runs.files import atomic_write_text
from lambdascope.sweeps import KEPT_FILE

PAGE = "report.html"


@dataclass(frozen=True)
class ReportResult:
    """What the page says and where it is.

    Attributes:
        finding: In a sentence.
        path: The page.
        size: Of the file, in bytes.
    """

    finding: str
    path: Path
    size: int


def report(directory: Path) -> ReportResult:
    """Make the page, from the directory alone.

    Args:
        directory: Of a run, finished or not; of a sweep's results; or a folder of runs.

    Returns:
        The page, written to report.html in the directory.

    Raises:
        LambdascopeError: The directory is none of these, something in it is broken, or the page
            cannot be written.
    """
    finding, html = _page(Path(directory))
    path = Path(directory) / PAGE
    atomic_write_text(path, html)
    return ReportResult(finding, path, len(html.encode()))


def print_result(result: ReportResult) -> None:
    """The finding and the page's place, on standard output."""
    print(f"{result.finding}\n{result.path} ({result.size / 1e6:.1f} MB, opens in any browser)")


def _page(path: Path) -> tuple[str, str]:
    """The finding and the page."""
    if (path / "config.json").exists():
        run = read_run(path)
        return finding_of(run), run_page(run)
    if is_sweep(path) or is_folder_of_runs(path):
        record = read_sweep(path) if is_sweep(path) else read_folder(path)
        return sweep_finding(record), sweep_page(record)
    what = "holds neither a run nor a sweep" if path.is_dir() else "is no directory"
    raise LambdascopeError(
        f"{path} {what}: accepted are a run directory (with config.json and checkpoints/, from "
        "`lambdascope train`), a folder of such directories, and the results of a sweep (with "
        f"{KEPT_FILE} and cells/, from `lambdascope sweep run`)"
    )
