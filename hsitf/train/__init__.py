"""Training: a network, a scene and a split become a run folder with its record."""
