"""A network, criterion, scene, exporter, target and layer type of one's own, each from one file.

The files lie in a temporary folder outside the package, as a user's would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

# Each file registers one thing; the last lines use it as a user would.
FILES = {
    "network": """
        from keras import Input, Model, layers
        from hsitf import zoo

        def build(bands, classes, patch):
            inputs = x = Input((patch, patch, bands))
            x = layers.Flatten()(x)
            x = layers.Dense(12, activation="relu", name="hidden")(x)
            return Model(inputs, layers.Dense(classes, name="logits")(x), name="mine")

        zoo.register("mine", zoo.Network("", 3, zoo.Recipe("adam", 0.01, 50, 20), 5), build)

        import hsitf
        run = hsitf.train_network("mine", hsitf.load_scene("tiny.npy", labels="labels.npy"))
        bundle = run.prune(ratio=0.5, epochs=1, threads=None).export("float32")
        assert bundle.record.model == "mine" and bundle.file.name == "mine.tflite"
        assert hsitf.load_run(run.folder).record.plan.network == "mine"
    """,
    "criterion": """
        import numpy as np
        from hsitf.prune.criteria import CRITERIA, Criterion

        def largest(evidence):
            return np.abs(np.asarray(evidence.kernels)).max(axis=1).astype(np.float64)

        CRITERIA.register("largest", Criterion(largest, "kernels"))

        import hsitf, keras
        inputs = keras.Input((4,))
        hidden = keras.layers.Dense(4, name="hidden")
        model = keras.Model(inputs, keras.layers.Dense(2)(hidden(inputs)))
        # Columns of 1, 4, 2 and 3: the two least go.
        hidden.set_weights([np.eye(4) * [1, 4, 2, 3], np.zeros(4)])
        small = hsitf.prune_model(model, 0.5, criterion="largest")
        kernel = small.get_layer("hidden").get_weights()[0]
        assert kernel.max(axis=0).tolist() == [4, 3]
    """,
    "scene": """
        import numpy as np
        from hsitf.scenes.catalog import CATALOG, CatalogEntry, CatalogFile, SceneLayout

        files = SceneLayout(CatalogFile("tiny.npy"), CatalogFile("labels.npy"))
        CATALOG.register("Field", CatalogEntry(
            name="Field", sensor="a field camera", location="here", rows=40, cols=40, bands=24,
            class_names=("a", "b", "c", "d"), rgb_bands=(20, 10, 2), layouts=(files,),
        ))

        import hsitf
        scene = hsitf.load_scene("field", data_dir=".")
        assert scene.name == "Field" and scene.class_names == ("a", "b", "c", "d")
    """,
    "exporter": """
        from dataclasses import replace
        import keras
        from hsitf.export.variants import VARIANTS, FileFormat
        from hsitf.inspection import Contents
        from hsitf.runtimes import Keras

        def convert(model, calibration, path):
            saved = path.with_suffix(".copy.keras")
            model.save(saved)
            saved.replace(path)

        def open_file(path, threads):
            return Keras(keras.saving.load_model(path, compile=False))

        kept = FileFormat("keras", ".keras", open_file, lambda path: Contents((), 0, False))
        VARIANTS.register("kept", replace(
            VARIANTS["float32"], name="kept", description="Keras", format=kept, convert=convert))

        import hsitf
        run = hsitf.train_network("hu", hsitf.load_scene("tiny.npy", labels="labels.npy"), epochs=2)
        bundle = run.export("kept")
        assert bundle.file.suffix == ".keras" and bundle.record.agreement == 1.0
    """,
    "target": """
        from hsitf.arithmetic import ARITHMETICS, Arithmetic

        ARITHMETICS.register("wide", Arithmetic(channel_alignment=64))

        import hsitf, numpy as np
        model = hsitf.build_network("li", bands=24, classes=4)
        patch = np.random.default_rng(0).normal(size=(1, 5, 5, 24)).astype(np.float32)
        lowered = hsitf.lower_model(model, arithmetic="wide")
        np.testing.assert_allclose(lowered(patch), model(patch), atol=1e-4)
    """,
    "layer": """
        import keras, numpy as np
        from keras import layers, ops
        from hsitf import operators
        from hsitf.lower import rules as lower_rules
        from hsitf.operators import OperatorType, Role
        from hsitf.prune import rules as prune_rules

        @keras.saving.register_keras_serializable("mine")
        class Doubled(layers.Layer):
            def call(self, inputs):
                return inputs * 2

        import hsitf
        from hsitf.cost import cost
        from hsitf.errors import HsitfError

        inputs = x = keras.Input((5, 5, 8))
        x = layers.Conv2D(8, 3, name="a")(x)
        x = Doubled(name="twice")(x)
        model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
        for stage in (lambda: hsitf.prune_model(model, 0.5), lambda: hsitf.lower_model(model)):
            try:
                stage()
            except HsitfError as error:
                for part in ("twice", "Doubled", "register"):
                    assert part in str(error), error
            else:
                raise AssertionError("an unknown layer was passed over")

        operators.register(Doubled, OperatorType(Role.PASSES, elementwise=True))
        prune_rules.TABLE.register(Doubled, prune_rules.RULES[layers.ReLU])
        lower_rules.TABLE.register(Doubled, lower_rules.RULES[layers.ReLU])

        small = hsitf.prune_model(model, 0.5)
        assert small.get_layer("a").filters == 4
        assert cost(model).macs == 9 * 8 * 9 * 8 + 72 * 3
        patch = np.random.default_rng(0).normal(size=(1, 5, 5, 8)).astype(np.float32)
        lowered = hsitf.lower_model(model)
        np.testing.assert_allclose(lowered(patch), model(patch), atol=1e-5)

        # Trained elsewhere and saved, a network with it goes the whole way.
        inputs = keras.Input((24,))
        x = Doubled(name="twice")(layers.Dense(8, activation="relu")(inputs))
        model = keras.Model(inputs, layers.Dense(4, activation="softmax")(x))
        scene = hsitf.load_scene("tiny.npy", labels="labels.npy")
        labelled = scene.labels > 0
        spectra = scene.cube[labelled]
        scaled = (spectra - spectra.mean(axis=0)) / spectra.std(axis=0)
        model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
        model.fit(scaled, scene.labels[labelled] - 1, epochs=15, verbose=0)
        model.save("own.keras")
        run = hsitf.adopt_network("own.keras", scene)
        bundle = run.prune(ratio=0.25, epochs=2, threads=None).export("int8", max_drop=5)
        assert bundle.record.integer_share == 1 and bundle.record.agreement > 0.95
    """,
}


# One process for all, since loading TensorFlow takes longer than any of them.
RUNNER = """
import json, runpy, sys, traceback
ended = {}
for kind in sys.argv[1:]:
    try:
        runpy.run_path(f"{kind}.py", run_name="__main__")
        ended[kind] = ""
    except BaseException:
        ended[kind] = traceback.format_exc()
print(json.dumps(ended))
"""


@pytest.fixture(scope="module")
def ended(tiny, tmp_path_factory):
    """By kind, the traceback that its file ended with; empty where it ran."""
    folder = tmp_path_factory.mktemp("outside")
    np.save(folder / "tiny.npy", tiny.cube)
    np.save(folder / "labels.npy", tiny.labels)
    for kind, text in FILES.items():
        lines = text.strip("\n").split("\n")
        (folder / f"{kind}.py").write_text("\n".join(line[8:] for line in lines))
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *FILES],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", FILES)
def test_one_file_adds_it(kind, ended):
    assert not ended[kind], ended[kind]


@pytest.mark.parametrize("kind", FILES)
def test_no_file_touches_the_package(kind):
    assert "import _" not in FILES[kind]
    assert "._" not in FILES[kind]
