"""The one error that a user can cause and mend."""


class LambdascopeError(ValueError):
    """A sentence for the user: which field, what was received, what would be accepted.

    The command line prints it without a traceback and exits with code 2.
    """
