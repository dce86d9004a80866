"""How many threads a small product is worth: one. A second gains little, and on a busy processor all wait for it."""

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def single_thread() -> AbstractContextManager:
    """Inside, what the calling thread computes through OpenMP (torch, FAISS) is computed by it alone."""
    import torch

    torch.get_num_threads()  # what a new thread starts with is set here, not when it first computes
    return _openmp().limit(limits=1)


@cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")
