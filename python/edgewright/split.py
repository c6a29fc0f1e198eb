"""A model cut between a device and a server: the commands `edgewright split ...`."""

from ._edgewright import compare_codecs as codecs
from ._edgewright import compare_offloading as offload
from ._edgewright import plan_speculation as speculate
from ._edgewright import plan_split as plan
from ._edgewright import protect_cut as protect
from ._edgewright import reckon_privacy as privacy

__all__ = ["codecs", "offload", "plan", "privacy", "protect", "speculate"]
