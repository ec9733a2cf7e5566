"""Checks of claims: pure functions from the means of a study to a finding; one module a topic."""

from hsitf.literature.checks import (
    bands,
    bits,
    criteria,
    explanations,
    files,
    pipelines,
    reference,
    weights,
)
from hsitf.literature.checks.base import CHECKS, Finding, Limits

__all__ = [
    "CHECKS",
    "Finding",
    "Limits",
    "bands",
    "bits",
    "criteria",
    "explanations",
    "files",
    "pipelines",
    "reference",
    "weights",
]
