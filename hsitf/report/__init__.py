"""HTML reports of runs and studies, made from records; TensorFlow is not loaded."""
