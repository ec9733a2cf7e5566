"""Networks trained elsewhere, made ordinary runs.

A file of another framework or layout becomes a `SourceNetwork`: a functional Keras 3 model in its
author's shapes (one file a format here). `inputs` and `outputs` bring it to the shapes of this
package, `preprocessing` to its normalization, `diagnosis` checks what was said of it on the scene,
and `run` writes the run, which every verb then takes.
"""
