"""Stands for benchmarks.gpu.one_step, without the seconds that torch takes: python -m quick_step FUNCTION ..."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

if __name__ == '__main__':
    function, settings, result = sys.argv[1:]
    kind = function.rpartition(':')[2]
    print(f'this is {kind} on {json.loads(settings)["device"]}, GPUs {os.environ.get("CUDA_VISIBLE_DEVICES")!r}')
    if kind == 'hang':
        child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
        Path(result).with_suffix('.pid').write_text(str(child.pid))
        time.sleep(600)
    if kind == 'vanish':
        os._exit(7)
    status = 'failed' if kind == 'fail' else 'passed'
    Path(result).write_text(json.dumps(dict(status=status, found=dict(images=3), message=kind)))
