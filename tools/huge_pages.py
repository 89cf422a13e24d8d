"""Large memory pages for tensors. It imports neither torch nor the package, because it must run before them."""

import os


def use_huge_pages() -> None:
    """Let PyTorch ask Linux for memory pages of 2 MB for large tensors; no effect once torch is imported.

    The memory of a freed tensor goes back to the system, and the next tensor gets new pages, which Linux clears when
    they are first used. With pages of 4 KB this takes a tenth of a training step on a CPU (docs/benchmarks.md). A value
    that the user has set is not changed.
    """
    os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')
