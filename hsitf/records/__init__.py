"""What stages hand on: frozen dataclasses, JSON in and out.

A record lies beside every file that hsitf writes and says what the file is, how it came about
and what it is worth.
"""

from hsitf.records.environment import command, versions
from hsitf.records.export import ExportRecord, Latency, Micro, Operator, Tensor
from hsitf.records.json import SCHEMA, formerly, parse, read, write
from hsitf.records.run import (
    BandsRecord,
    Beginning,
    Epoch,
    Pruning,
    RunRecord,
    Standing,
    TrainingPlan,
)
from hsitf.records.scene import SceneChoice, SceneRecord, SplitRecord

__all__ = [
    "SCHEMA",
    "BandsRecord",
    "Beginning",
    "Epoch",
    "ExportRecord",
    "Latency",
    "Micro",
    "Operator",
    "Pruning",
    "RunRecord",
    "SceneChoice",
    "SceneRecord",
    "SplitRecord",
    "Standing",
    "Tensor",
    "TrainingPlan",
    "command",
    "formerly",
    "parse",
    "read",
    "versions",
    "write",
]
