"""Devices as data: the commands `edgewright device ...`."""

from ._edgewright import calibrate_device as calibrate
from ._edgewright import device_names as names
from ._edgewright import import_device as import_tree
from ._edgewright import probe_device as probe
from ._edgewright import show_device as show

__all__ = ["calibrate", "import_tree", "names", "probe", "show"]
