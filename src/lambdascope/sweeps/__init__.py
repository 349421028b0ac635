"""Grids of runs: what a sweep's file says, which cells stand, and the engines that work on them."""

from lambdascope.sweeps.engines import Engine, LocalEngine, ProcessEngine
from lambdascope.sweeps.plan import Cell, FigureWish, SweepPlan, read_plan
from lambdascope.sweeps.records import CellRecords, Outcome

__all__ = [
    "Cell",
    "CellRecords",
    "Engine",
    "FigureWish",
    "LocalEngine",
    "Outcome",
    "ProcessEngine",
    "SweepPlan",
    "read_plan",
]
