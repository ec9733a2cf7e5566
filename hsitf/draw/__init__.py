"""Drawings of networks: layers, shapes, parameters, multiply-accumulates, widths after thinning."""
