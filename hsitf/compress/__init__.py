"""From a trained network to the smallest verified file that is still right."""
