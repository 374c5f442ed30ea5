"""Benchmarks: each module prints a figure, its target and the machine it ran on."""
