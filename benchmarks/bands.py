"""What reduced bands cost and save.

    PYTHONPATH=. python benchmarks/bands.py pca
    PYTHONPATH=. python benchmarks/bands.py files RUN RUN ... [--data-dir DIR]

`pca`: time and memory of a principal component analysis of all pixels of a cube of the size of
Pavia Centre (synthetic numbers), and of reducing it. `files`: size, accuracy and latency of runs as
files, those of reduced bands with and without the reduction inside; all are timed in turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from hsitf import bands
from hsitf.bands import TrainingSpectra
from hsitf.cost import cost
from hsitf.errors import HsitfError
from hsitf.export.bundle import GOLDEN
from hsitf.export.pipeline import export
from hsitf.export.request import ExportRequest
from hsitf.export.variants import variant
from hsitf.lower import lower
from hsitf.lower.preprocessing import fold_preprocessing
from hsitf.measure import interleaved, peak_memory, processor, reset_peak_memory
from hsitf.progress import Silent
from hsitf.records import SceneChoice
from hsitf.runs import Run

ROWS, COLS, BANDS = 1096, 715, 102


def pca() -> None:
    """Prints time and memory."""
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(20, BANDS)).astype(np.float32)
    spectra = generator.normal(size=(ROWS * COLS, 20)).astype(np.float32) @ mixing
    spectra += generator.standard_normal(spectra.shape, dtype=np.float32)
    size = spectra.nbytes
    reset_peak_memory()
    before = peak_memory()
    start = time.perf_counter()
    reducer = bands.fit(
        "pca:30", TrainingSpectra(spectra, np.empty(0, np.int32), 0), lambda: spectra
    )
    fitted = time.perf_counter()
    fitting = peak_memory() - before
    reduced = reducer.apply(spectra)
    done = time.perf_counter()
    print(
        f"{ROWS} x {COLS} x {BANDS}, {size / 1e6:.0f} MB: pca:30 fitted to all pixels in "
        f"{fitted - start:.2f} s with {fitting / 1e6:.0f} MB besides ({1 + fitting / size:.2f} "
        f"times the cube in all), applied in {done - fitted:.2f} s to {reduced.nbytes / 1e6:.0f} MB"
    )


FORMS = (("float32", False), ("float32", True), ("int8", False), ("int8", True), ("int16", True))


def files(runs: list[Path], data_dir: str | None) -> None:
    """Prints one table."""
    with tempfile.TemporaryDirectory() as folder:
        rows, actions = [], {}
        for number, place in enumerate(runs):
            run = Run.open(place)
            choice = run.record.plan.scene
            if data_dir:
                choice = SceneChoice(choice.source, data_dir)
            for name, fuse in FORMS:
                if fuse and run.record.bands is None:
                    continue
                key = f"{run.record.plan.network} {run.record.plan.bands or 'all'} {name} {fuse}"
                root = Path(folder) / f"{number}-{name}-{fuse}"
                request = ExportRequest(
                    (variant(name),),
                    max_drop=100.0 if name != "int8" else 0.5,
                    fold_preprocessing=fuse,
                    root=root,
                )
                try:
                    (found,), _ = export(run, request, Silent(), choice)
                except (HsitfError, ValueError) as error:
                    rows.append([key, str(error)[:60]])
                    continue
                runtime = variant(name).runtime(found.file, 1)
                with np.load(found.folder / GOLDEN, allow_pickle=False) as golden:
                    actions[key] = runtime.action(golden["stored_inputs"][:1])
                record = found.record
                rows.append(
                    [
                        key,
                        f"{record.bytes:,}",
                        f"{100 * record.oa_keras:.2f}",
                        f"{0 - record.oa_drop:+.2f}",
                        _macs(run, choice, fuse),
                        "; ".join(record.applied_techniques),
                    ]
                )
        times = interleaved(actions)
    for row in rows:
        if row[0] in times:
            row.insert(5, f"{1e3 * times[row[0]].percentile(50):.3f}")
    head = ["network, bands, file, fused", "bytes", "OA", "change", "MACs", "ms", "by"]
    print(processor())
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def _macs(run: Run, choice: SceneChoice, fuse: bool) -> str:
    data, network = run.data(choice), run.network()
    whole = fold_preprocessing(network, data.normalizer, data.reducer) if fuse else network
    return f"{cost(lower(whole, 1)).macs:,}"


def main() -> None:
    """Measures what is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("pca", "files"))
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--data-dir")
    given = parser.parse_args()
    if given.what == "pca":
        pca()
    else:
        files(given.runs, given.data_dir)


if __name__ == "__main__":
    main()
