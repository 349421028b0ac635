"""Grids of runs: what a sweep's file says, which cells stand, and the engines that work on them."""

from lambdascope.sweeps.cell import Cell, Vocabulary
from lambdascope.sweeps.engines import Engine, LocalEngine, ProcessEngine, said_of, shared_out
from lambdascope.sweeps.figures import FigureWish
from lambdascope.sweeps.outputs import KEPT_FILE, SweepOutputs
from lambdascope.sweeps.plan import SweepPlan, read_plan
from lambdascope.sweeps.ray_engine import RayEngine
from lambdascope.sweeps.records import CellRecords, Outcome, state_of

__all__ = [
    "KEPT_FILE",
    "Cell",
    "CellRecords",
    "Engine",
    "FigureWish",
    "LocalEngine",
    "Outcome",
    "ProcessEngine",
    "RayEngine",
    "SweepOutputs",
    "SweepPlan",
    "Vocabulary",
    "read_plan",
    "said_of",
    "shared_out",
    "state_of",
]
