"""What is wrong with a trained model, in plain language, with the evidence and what helps."""

from .check import Check
from .diagnose import CHECKS, diagnose
from .evidence import Evidence
from .finding import CAUSES, Diagnosis, Finding

__all__ = ["CAUSES", "CHECKS", "Check", "Diagnosis", "Evidence", "Finding", "diagnose"]
