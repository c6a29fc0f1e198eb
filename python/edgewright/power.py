"""Operating points, heat and energy: the commands `edgewright power ...`."""

from ._edgewright import power_energy as energy
from ._edgewright import power_plan as plan
from ._edgewright import power_simulate as simulate

__all__ = ["energy", "plan", "simulate"]
