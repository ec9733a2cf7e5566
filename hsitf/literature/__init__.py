"""The literature's claims on compressing hyperspectral networks, compared with a study's results.

`claims.toml` holds the claims as data: what the literature states, with which figures, and by which
check of `checks.py` a study answers it. `check_claims` evaluates all of them.
"""

from hsitf.literature.checks import CHECKS, Finding, Limits
from hsitf.literature.claims import (
    FAILS,
    HOLDS,
    UNKNOWN,
    CheckedClaim,
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
    "UNKNOWN",
    "CheckedClaim",
    "Finding",
    "Limits",
    "PaperClaim",
    "StudyMeans",
    "check_claims",
    "load_claims",
    "read_claims",
]
