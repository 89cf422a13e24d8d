"""Compare the speed of a model with other publishers' networks: python tools/benchmark.py CONFIG [CHECKPOINT]."""

import argparse
import sys
from pathlib import Path

from arguments import Parser, add_config_options


def build_parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        description='Time inference and training steps of a model, of the networks of mmpretrain, torchvision and '
        'timm, and of exported files. Each runs in its own process; they take turns.'
    )
    parser.add_argument('config', help='config file, or PACKAGE::PATH')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint file or address; default: random weights')
    parser.add_argument(
        '--phases',
        nargs='+',
        choices=['inference', 'training'],
        default=['inference', 'training'],
        help='what to time; default: both',
    )
    parser.add_argument(
        '--batch-sizes',
        type=positive,
        nargs='+',
        default=[8, 32],
        metavar='N',
        help='for inference; default: 8 32',
    )
    parser.add_argument(
        '--train-batch-sizes',
        type=at_least_two,
        nargs='+',
        default=[16],
        metavar='N',
        help='for training, at least 2 (batch norm); default: 16',
    )
    parser.add_argument(
        '--shape', type=positive, nargs=2, default=[299, 299], metavar='N', help='height and width; default: 299 299'
    )
    parser.add_argument('--threads', type=positive, metavar='N', help="default: PyTorch's, one a core")
    parser.add_argument('--rounds', type=positive, default=7, metavar='N', help='how often to time each; default: 7')
    parser.add_argument(
        '--only',
        nargs='+',
        metavar='TEXT',
        help='only rows whose names contain one of these, and the first row, which the others are compared with; '
        'default: all, but those in bfloat16 where the processor only emulates it',
    )
    parser.add_argument(
        '--out',
        metavar='FILE',
        default='benchmark.json',
        help='write the results to FILE and a chart next to it; default: benchmark.json',
    )
    add_config_options(parser)
    return parser


def positive(text: str) -> int:
    """Parse a number of at least 1."""
    return at_least(1, text)


def at_least_two(text: str) -> int:
    """Parse a number of at least 2."""
    return at_least(2, text)


def at_least(smallest: int, text: str) -> int:
    """Parse a number with a lower bound."""
    if not text.isdecimal() or int(text) < smallest:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least {smallest}, got {text}')
    return int(text)


def main() -> None:
    """Time all rows, print the table, and write it as JSON and as a chart after each phase and batch size."""
    options = {key: value for key, value in vars(args).items() if key != 'out'}
    results = run_benchmark(Options(**options), lambda *done: write_report(*done, Path(args.out)))
    print(format_table(results))
    print(f'wrote {args.out} and {Path(args.out).with_suffix(".png")}')


if __name__ == '__main__':
    parser = build_parser()
    args = parser.parse_args()
    if not args.out.endswith('.json'):
        parser.error(f'--out: expected a file ending in .json, got {args.out}')
    # The benchmarks are part of the repository, not of the package.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    # Imported after parsing: torch and mmpretrain take seconds.
    from benchmarks.speed.report import format_table, write_report
    from benchmarks.speed.run import Options, run_benchmark
    from mmpretrain_inception.cli import run_tool

    run_tool(main)
