"""What stages hand on: frozen dataclasses, JSON in and out.

Beside every file that hsitf writes there is a record of its content, origin and accuracy.
"""

from hsitf.compat import formerly, formerly_shaped, formerly_written
from hsitf.invocation import command
from hsitf.records.environment import versions
from hsitf.records.export import (
    ExportRecord,
    GoldenRecord,
    Latency,
    OperatorCount,
    TargetRecord,
    TensorSpec,
    TflmReport,
    TuningRecord,
)
from hsitf.records.json import SCHEMA, parse, read, write
from hsitf.records.run import (
    AdoptionRecord,
    BandsRecord,
    DistillationRecord,
    Epoch,
    FileStats,
    ModelStats,
    PruningRecord,
    RunRecord,
    RunStart,
    TeacherRun,
    TrainingPlan,
)
from hsitf.records.scene import ImageRecord, SceneChoice, SceneRecord, SplitRecord

__all__ = [
    "SCHEMA",
    "AdoptionRecord",
    "BandsRecord",
    "DistillationRecord",
    "Epoch",
    "ExportRecord",
    "FileStats",
    "GoldenRecord",
    "ImageRecord",
    "Latency",
    "ModelStats",
    "OperatorCount",
    "PruningRecord",
    "RunRecord",
    "RunStart",
    "SceneChoice",
    "SceneRecord",
    "SplitRecord",
    "TargetRecord",
    "TeacherRun",
    "TensorSpec",
    "TflmReport",
    "TrainingPlan",
    "TuningRecord",
    "command",
    "formerly",
    "formerly_shaped",
    "formerly_written",
    "parse",
    "read",
    "versions",
    "write",
]
