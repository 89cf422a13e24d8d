"""Import, train, resume, test, export and predict on a few digits: what has to work in every environment.

Arguments name some of the steps: `python tests/smoke.py import train resume test predict`. noxfile.py runs all of them
in each environment. Not a test of pytest's, because every part of it has longer ones in this folder.
"""

import re
import sys
import tempfile
import time

from support import CONFIGS, REPOSITORY, TINY_DIGITS, run

CONFIG = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
PREDICT = f"""
import numpy as np
from mmpretrain import ImageClassificationInferencer
import mmpretrain_inception
predict = ImageClassificationInferencer({str(CONFIG)!r}, pretrained='work/epoch_2.pth')
(found,) = predict(np.zeros((80, 80, 3), np.uint8))
assert len(found['pred_scores']) == 10 and abs(sum(found['pred_scores']) - 1) < 1e-4, found
"""
# By name: the arguments of Python, in the order in which they build on each other.
STEPS = {
    'doctor': ('-m', 'mmpretrain_inception.doctor'),
    'import': ('-W', 'error::UserWarning:mmpretrain_inception', '-c', 'import mmpretrain_inception'),
    'train': ('tools/train.py', CONFIG, '--work-dir', 'work', '--cfg-options', *TINY_DIGITS),
    'resume': (
        *('tools/train.py', CONFIG, '--work-dir', 'work', '--resume', '--cfg-options', *TINY_DIGITS),
        'train_cfg.max_epochs=2',
    ),
    'test': ('tools/test.py', CONFIG, 'work/epoch_2.pth', '--cfg-options', *TINY_DIGITS),
    'convert': ('tools/convert_weights.py', 'work/epoch_2.pth', 'weights.safetensors', '--to', 'torchvision'),
    'test converted': ('tools/test.py', CONFIG, 'weights.safetensors', '--cfg-options', *TINY_DIGITS),
    'export': ('tools/export.py', CONFIG, 'work/epoch_2.pth', '--to', 'torch', '--out', 'model.pt2'),
    'test exported': ('tools/test.py', CONFIG, 'model.pt2', '--cfg-options', *TINY_DIGITS),
    'predict': ('-c', PREDICT),
}
# These evaluate the same weights.
EQUAL = ('test', 'test converted', 'test exported')
# What exporting says where PyTorch is too old for it; there is no exported file then.
TOO_OLD = 'needs a newer PyTorch'
NEEDS = {'test exported': 'export'}


def main():
    """Run the steps, print how each went and how long it took, and end with status 1 if one failed."""
    chosen = sys.argv[1:] or list(STEPS)
    unknown = set(chosen) - set(STEPS)
    if unknown:
        sys.exit(f'expected steps of {", ".join(STEPS)}, got {", ".join(sorted(unknown))}')
    accuracy, failed, left_out = {}, [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in STEPS.items():
            if name not in chosen or NEEDS.get(name) in left_out:
                continue
            start = time.perf_counter()
            result = run_step(arguments, folder)
            output = result.stdout + result.stderr
            if TOO_OLD in output:
                left_out.append(name)
                print(f'{name}: left out, it {TOO_OLD}')
                continue
            found = re.findall(r'^accuracy/top1 +([\d.]+)', output, re.MULTILINE)
            accuracy |= {name: found[-1]} if found else {}
            state = f'FAILED with status {result.returncode}' if result.returncode else 'passed'
            print(
                f'{name}: {state} in {time.perf_counter() - start:.0f} s {accuracy.get(name, "")}'.rstrip(), flush=True
            )
            if result.returncode:
                failed.append(name)
                print(output)
    if failed:
        sys.exit(f'failed: {", ".join(failed)}')
    if len({accuracy[name] for name in EQUAL if name in accuracy}) > 1:
        sys.exit(f'the same weights have different accuracies: {accuracy}')


def run_step(arguments, folder):
    """Run Python with these arguments in the folder; files of the repository by their absolute paths."""
    paths = [REPOSITORY / part if str(part).startswith('tools/') else part for part in arguments]
    return run(sys.executable, *paths, cwd=folder)


if __name__ == '__main__':
    main()
