"""Memory for tensors in large pages. It imports neither torch nor the package, since it has to come before them."""

import os


def use_huge_pages() -> None:
    """Let PyTorch ask Linux for pages of 2 MB where tensors are that large; without effect once torch is imported.

    A freed tensor's memory goes back to the system, and the next one's comes as new pages, each of which Linux clears
    at the first touch: of 4 KB each they take a tenth of a training step on a CPU (docs/benchmarks.md). What the user
    has set stays.
    """
    os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')
