"""hsitf takes a hyperspectral scene and one of the literature's classification networks to a
small, verified file that runs on an edge device, and says with measured numbers what was lost
and what was gained on the way. Each stage is a package of its own and a verb on the command
line (`python -m hsitf VERB`); nothing heavy is imported before it is used.
"""

__version__ = "0.1.0"
