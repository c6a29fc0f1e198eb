"""What runs on other runtimes and hardware: the commands `edgewright targets ...`."""

from ._edgewright import check_target as check
from ._edgewright import target_names as names

__all__ = ["check", "names"]
