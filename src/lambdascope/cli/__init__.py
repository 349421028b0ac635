"""The command line: `lambdascope COMMAND ...`.

A command is declared in the file of its name here, worked in the file of its name in
`lambdascope.commands`, and listed in `listing.py`. Nothing heavy is imported before a command runs,
so that help comes at once.
"""

from lambdascope.cli.program import main

__all__ = ["main"]
