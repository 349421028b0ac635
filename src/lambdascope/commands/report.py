"""`lambdascope report`: the page of a run."""

from dataclasses import dataclass
from pathlib import Path

from lambdascope.commands.report_run import read_run
from lambdascope.reporting.page.run_page import finding_of, run_page
from lambdascope.runs.files import atomic_write_text

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
    """Make the page of a run, from its directory alone.

    Args:
        directory: Of a run, finished or not.

    Returns:
        The page, written to report.html in the directory.

    Raises:
        LambdascopeError: The directory is no run, something in it is broken, or the page cannot be
            written.
    """
    record = read_run(Path(directory))
    path, html = Path(directory) / PAGE, run_page(record)
    atomic_write_text(path, html)
    return ReportResult(finding_of(record), path, len(html.encode()))


def print_result(result: ReportResult) -> None:
    """The finding and the page's place, on standard output."""
    print(f"{result.finding}\n{result.path} ({result.size / 1e6:.1f} MB, opens in any browser)")
