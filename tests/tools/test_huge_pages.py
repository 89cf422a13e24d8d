import sys
from pathlib import Path

import pytest
from support import REPOSITORY, run

ENABLED = Path('/sys/kernel/mm/transparent_hugepage/enabled')
SCRIPT = """
from huge_pages import use_huge_pages
use_huge_pages()
import torch
tensor = torch.ones(64 << 20, dtype=torch.uint8)
print(next(line.split()[1] for line in open('/proc/self/smaps_rollup') if line.startswith('AnonHugePages')))
"""


@pytest.mark.skipif(
    not ENABLED.exists() or '[madvise]' not in ENABLED.read_text(), reason='the system gives no large pages on request'
)
@pytest.mark.parametrize(('setting', 'large'), [({}, True), (dict(THP_MEM_ALLOC_ENABLE='0'), False)])
def test_tensors_are_in_large_pages_unless_the_user_says_otherwise(tmp_path, setting, large):
    result = run(sys.executable, '-c', SCRIPT, cwd=tmp_path, PYTHONPATH=str(REPOSITORY / 'tools'), **setting)
    assert result.returncode == 0, result.stderr
    assert (int(result.stdout) >= 48 << 10) is large
