"""Comparison of band reductions: their cost, and the accuracy of networks trained on them."""
