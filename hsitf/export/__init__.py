"""Export: a trained network becomes verified files for edge devices."""
