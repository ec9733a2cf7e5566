"""Paired comparison of trained networks, recipes and baselines on the same test pixels."""
