"""Calibration: queries chosen, and their score weighed, by models of known origin that were held out."""

from nf.calibration.calibrate import CalibrationPool, calibrate

__all__ = ["CalibrationPool", "calibrate"]
