"""Network links as data: the commands `edgewright link ...`."""

from ._edgewright import show_link as show

__all__ = ["show"]
