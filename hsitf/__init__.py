"""hsitf takes a hyperspectral scene and one of the literature's classification networks to a
small, verified file that runs on an edge device, and says with measured numbers what was lost
and what was gained on the way. Each stage is a package of its own and a verb on the command
line (`python -m hsitf VERB`); nothing heavy is imported before it is used.
"""

import os

# TensorFlow leaves oneDNN's kernels off on processors without AVX-512 VNNI, where they train `he`
# six times as fast. Here, so that every process computes with the same ones, whatever it imports
# first: a run that is resumed is to go on bit by bit.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"
