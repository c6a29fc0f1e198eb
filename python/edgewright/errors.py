"""The exceptions of the package: one class for each exit code of the command line.

Messages are the command line's: what was found, what was expected, where, and how to fix it.
"""


class EdgewrightError(Exception):
    """Anything that the library refuses or fails at; `exit_code` is the command line's."""

    exit_code = 5


class CheckFailed(EdgewrightError):
    """A check or goal failed: verification, a threshold, a service level."""

    exit_code = 1


class UsageError(EdgewrightError, ValueError):
    """A call or argument that makes no sense."""

    exit_code = 2


class BadInput(EdgewrightError, ValueError):
    """A malformed or hostile file or value."""

    exit_code = 3


class Unsupported(EdgewrightError, NotImplementedError):
    """Well formed, but not supported here."""

    exit_code = 4


class InternalError(EdgewrightError, RuntimeError):
    """An internal error, or a resource exhausted."""

    exit_code = 5
