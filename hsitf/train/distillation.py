"""Distillation: trained networks teach another one on its training pixels.

Hinton, Vinyals, Dean (Distilling the knowledge in a neural network, 2015): what a network learns
from is a mixture of the label and of its teachers' mean probabilities.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.data import SceneData, restore
from hsitf.progress import Progress
from hsitf.records import TrainingPlan
from hsitf.train.evaluation import predict_logits
from hsitf.train.gather import gather_model
from hsitf.train.pseudo_labels import NamedPixels, softmax
from hsitf.train.teachers import check_teachers


def named_by_teachers(
    plan: TrainingPlan, data: SceneData, pixels: NDArray[np.int64], progress: Progress
) -> NamedPixels:
    """Mean probabilities of a plan's teachers, from patches as they are.

    Args:
        plan: The training plan.
        data: The scene as the student takes it.
        pixels: Ascending flat indices.
        progress: Receives a message.

    Raises:
        InputError: As `teachers.check_teachers`.
        DataError: A teacher's files are damaged.
    """
    teachers = check_teachers(plan, data)
    total: Float32Array = np.zeros((len(pixels), data.scene.classes), np.float32)
    for run in teachers:
        progress.say(f"teacher {run.folder}")
        plan_then = run.record.plan
        own = restore(
            data.scene, run.split(), run.record.normalizer, plan_then.patch, run.reducer()
        )
        model = gather_model(run.network(), own.patches)
        total += softmax(predict_logits(model, pixels)) / len(teachers)
    return NamedPixels(pixels, total)
