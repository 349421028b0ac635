"""The estimator held against every system whose answer is known."""

from lambdascope.calibration.case import Case
from lambdascope.calibration.run import calibrate
from lambdascope.calibration.suites import SUITES
from lambdascope.calibration.summary import RankingSummary, ranking_summary

__all__ = ["SUITES", "Case", "RankingSummary", "calibrate", "ranking_summary"]
