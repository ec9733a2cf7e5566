"""The literature's claims on compressing hyperspectral networks, compared with a study's results.

Each file of `papers/` holds the claims of a paper as data: what it states and where, with which
figures, and by which check of `checks/` a study answers it. `check_claims` evaluates all of them.
"""

from hsitf.literature.checks import CHECKS, Finding, Limits
from hsitf.literature.claims import (
    FAILS,
    HOLDS,
    REASONS,
    UNKNOWN,
    CheckedClaim,
    Paper,
    PaperClaim,
    check_claims,
    load_claims,
    read_claims,
)
from hsitf.literature.means import StudyMeans

__all__ = [
    "CHECKS",
    "FAILS",
    "HOLDS",
    "REASONS",
    "UNKNOWN",
    "CheckedClaim",
    "Finding",
    "Limits",
    "Paper",
    "PaperClaim",
    "StudyMeans",
    "check_claims",
    "load_claims",
    "read_claims",
]
