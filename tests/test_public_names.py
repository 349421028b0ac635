"""The front door: every public name is there, and none costs anything before it is used."""

import subprocess
import sys

import pytest

import lambdascope


@pytest.mark.parametrize("name", lambdascope.__all__)
def test_a_public_name_can_be_fetched(name: str) -> None:
    assert getattr(lambdascope, name).__module__.startswith("lambdascope")
    assert name in dir(lambdascope)


def test_dir_shows_the_public_names_and_nothing_else() -> None:
    assert dir(lambdascope) == sorted([*lambdascope.__all__, "__version__"])
    assert len(set(lambdascope.__all__)) == len(lambdascope.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sampel'"):
        lambdascope.sampel  # noqa: B018


def test_the_command_line_is_imported_without_the_heavy_libraries() -> None:
    code = (
        "import sys, lambdascope.cli\n"
        "heavy = {'torch', 'numpy', 'pandas', 'xarray', 'matplotlib', 'zarr', 'arviz', 'scipy'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""
