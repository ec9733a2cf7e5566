"""Entry point of the processes that run stages.

Nothing here loads TensorFlow before its log is silenced.
"""

from __future__ import annotations

from hsitf.log_silencing import load_keras
from hsitf.sweep.plan import Stage, StageResult, SweepContext


def run_stage(context: SweepContext, stage: Stage, before: StageResult | None) -> StageResult:
    """Runs a stage in a worker; see `hsitf.sweep.execute.perform`."""
    load_keras()
    from hsitf.sweep.execute import perform

    return perform(context, stage, before)
