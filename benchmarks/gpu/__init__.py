"""The steps of ``benchmarks/gpu_check.py``: what has to work on a GPU, each in a process of its own."""
