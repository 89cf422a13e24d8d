"""Measure the start-up time of the tools: `--help`, the imports, and building a model.

    python benchmarks/start_up.py [--rounds 5]

Every round of every row is a new process. A row shows the median and the range in seconds; the first round, which fills
the disk cache, is left out. The rows of the model come after `import torch` and `import mmpretrain.models`: importing
this package, then reading the config, building and initialising the published model with its auxiliary classifier.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).resolve().parents[1]
TOOLS = sorted(path for path in (REPOSITORY / 'tools').glob('*.py') if path.stem != 'arguments')
CONFIG = REPOSITORY / 'configs/inception_v3/inception-v3-aux_8xb32_in1k.py'

# Code that runs in one process in this order; each part is timed. mmengine logs the initialisation of every layer.
STEPS = {
    'import torch': 'import torch; torch.set_num_threads(2)',
    'import mmpretrain.models': 'import mmpretrain.models',
    'import mmpretrain_inception': 'import mmpretrain_inception',
    'read the config': f'from mmengine.config import Config; cfg = Config.fromfile({str(CONFIG)!r})',
    'build the model': 'from mmpretrain.registry import MODELS; model = MODELS.build(cfg.model)',
    'initialise the model': 'model.init_weights()',
}
BEYOND_THE_IMPORTS = list(STEPS)[2:]


def seconds_of_help(tool: Path) -> float:
    """Return the seconds that ``tool --help`` takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, tool, '--help'], check=True, capture_output=True)
    return time.perf_counter() - start


def seconds_of_steps() -> dict[str, float]:
    """Return the seconds of every part of :data:`STEPS`, run in a new process."""
    script = 'import json, sys, time\nseconds, scope = {}, {}\n' + ''.join(
        f'start = time.perf_counter(); exec({code!r}, scope); seconds[{name!r}] = time.perf_counter() - start\n'
        for name, code in STEPS.items()
    )
    script += 'print(json.dumps(seconds), file=sys.stderr)'
    result = subprocess.run([sys.executable, '-c', script], check=True, capture_output=True, text=True)
    return json.loads(result.stderr.splitlines()[-1])


def measure() -> dict[str, float]:
    """Return one round: the seconds of every row."""
    rows = {f'tools/{tool.name} --help': seconds_of_help(tool) for tool in TOOLS}
    steps = seconds_of_steps()
    return {**rows, **steps, 'model, without torch and mmpretrain': sum(steps[name] for name in BEYOND_THE_IMPORTS)}


def main() -> None:
    """Run the rounds, with the rows interleaved, and print the table."""
    parser = argparse.ArgumentParser(description='Measure the start-up of the tools and of a model.')
    parser.add_argument('--rounds', type=int, default=5, help='measurements per row; default: 5')
    args = parser.parse_args()
    rounds = [measure() for _ in range(args.rounds + 1)][1:]
    print('| what | median (s) | range (s) |\n|---|---|---|')
    for row in rounds[0]:
        seconds = [values[row] for values in rounds]
        print(f'| {row} | {median(seconds):.2f} | {min(seconds):.2f}-{max(seconds):.2f} |')


if __name__ == '__main__':
    main()
