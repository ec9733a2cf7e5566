"""luo as the compression study cut it, 90 to 32 and 64 to 22 filters: real files before and after.

    PYTHONPATH=. python benchmarks/luo.py

The study zeroed the filters and counted 397 to 139 MB; here they are removed. Fresh weights:
sizes do not depend on them. Kernels slide across the first convolution's filters, so what removes
them is an approximation and has to be fine-tuned; the plan says so.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hsitf import zoo
from hsitf.cost import cost
from hsitf.export.convert import float32_size
from hsitf.log_silencing import suppressed_output
from hsitf.lower import lower
from hsitf.measure import peak_memory
from hsitf.prune import PruningConfig, plan, thin
from hsitf.tables import format_table

KEPT = {"conv1": (90, 32), "conv2": (64, 22)}
# As the study took its sizes: the classes of Indian Pines, "undefined" among them.
BANDS, CLASSES = 200, 17


def main() -> None:
    """Prints the sizes."""
    model = zoo.build("luo", bands=BANDS, classes=CLASSES)
    ratios = {name: 1 - kept / width for name, (width, kept) in KEPT.items()}
    begin = time.perf_counter()
    chosen = plan(model, "l1", PruningConfig(ratios=ratios))
    smaller = thin(model, chosen)
    seconds, peak = time.perf_counter() - begin, peak_memory()
    for name, (_, kept) in KEPT.items():
        found = smaller.get_layer(name).filters
        if found != kept:
            raise SystemExit(f"{name} has {found} filters left, not {kept}")
    rows = []
    for name, network in (("before", model), ("after", smaller)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.keras"
            network.save(path)
            saved = path.stat().st_size
        with suppressed_output():
            converted = float32_size(lower(network))
        found = cost(network)
        cells = [found.parameters, found.macs, 4 * found.parameters, saved, converted]
        rows.append((name, *(f"{value:,}" for value in cells)))
    head = ("luo", "parameters", "MACs", "weights, bytes", ".keras, bytes", ".tflite, bytes")
    print(format_table(head, rows))
    print(f"Planned and thinned in {seconds:.1f} s; peak memory until then {peak / 1e9:.2f} GB.")
    print("Approximate:", "; ".join(chosen.approximate) + ".")


if __name__ == "__main__":
    main()
