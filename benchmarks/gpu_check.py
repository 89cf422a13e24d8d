"""Check what no test can without a GPU: training, resuming, testing, exporting and speed, in eight minutes at most.

    python benchmarks/gpu_check.py [--device cpu] [--out gpu_check.json] [--only TEXT ...] [--minutes 8]

Each step runs in a process of its own with a time limit, and prints a line when it ends; a failure does not stop the
others. In the end there is a table, and the same as JSON. The data are scikit-learn's digits and noise; nothing is
downloaded. ONNX, ONNX Runtime's CUDA provider and pytorch-fid are tried where they are installed.

``--device cpu`` tries the steps themselves on a few images where there is no GPU; what it replaces or leaves out is
named. Its speeds say nothing.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(description='Check training, testing, exports and speed on a GPU.')
    parser.add_argument(
        '--device', choices=['cuda', 'cpu'], default='cuda', help='cpu tries the steps without a GPU; default: cuda'
    )
    parser.add_argument(
        '--out', metavar='FILE', default='gpu_check.json', help='JSON file to write; default: gpu_check.json'
    )
    parser.add_argument(
        '--minutes',
        type=float,
        metavar='N',
        help='a step that is not finished by then has failed; default: 8, on the CPU 60',
    )
    parser.add_argument('--only', nargs='+', metavar='TEXT', help='only steps whose names contain one of these')
    return parser


def main() -> None:
    """Run the steps; exit with 1 if one of them failed."""
    if args.device == 'cuda' and not has_gpu():
        raise InputError('no GPU was found (torch.cuda.is_available()); --device cpu tries the steps on the processor')
    steps = [step for step in STEPS if args.only is None or any(text in step.name for text in args.only)]
    if not steps:
        raise UsageError(f'--only {" ".join(args.only)}: the steps are {[step.name for step in STEPS]}')
    check_output_file(args.out, '--out')
    # So that a signal ends the step that runs, and removes its files.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    machine = describe_machine(torch.device(args.device))
    minutes = args.minutes or (8 if args.device == 'cuda' else 60)
    end, outcomes = time.monotonic() + 60 * minutes, []
    with tempfile.TemporaryDirectory() as folder:
        for step in steps:
            outcomes.append(run_in_process(step, settings_for(args.device, folder), end - time.monotonic()))
            print(format_line(outcomes[-1]), flush=True)
            # As far as it got, should this process be stopped.
            write_json(outcomes, machine, Path(args.out))
    print(f'\n{format_report(outcomes)}\n\n{format_summary(outcomes, machine["device"])}; wrote {args.out}')
    if has_failed(outcomes):
        sys.exit(1)


if __name__ == '__main__':
    args = build_parser().parse_args()
    # The benchmarks are a package of the repository.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    # Imported after parsing: torch and mmpretrain take seconds.
    import torch

    from benchmarks.gpu.processes import run_in_process
    from benchmarks.gpu.report import format_line, format_report, format_summary, has_failed, write_json
    from benchmarks.gpu.settings import settings_for
    from benchmarks.gpu.steps import STEPS
    from benchmarks.speed.machine import describe_machine
    from mmpretrain_inception.cli import run_tool
    from mmpretrain_inception.configuring.checks import check_output_file
    from mmpretrain_inception.errors import InputError, UsageError
    from mmpretrain_inception.utils.gpu import has_gpu

    run_tool(main)
