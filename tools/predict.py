"""Predict images with a model that needs no config: python tools/predict.py MODEL INPUT [INPUT ...]."""

import argparse

from arguments import Parser, add_amp_option, add_short_options, add_verbose_option
from huge_pages import use_huge_pages

# What a table can be written as.
TABLES = ('.csv', '.jsonl', '.parquet')


def build_parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        description='Predict the classes of images. Without --out it prints a line for each; images that cannot be '
        'used are named and counted. The exit status is 0 if any image could be used.'
    )
    parser.add_argument(
        'model', help='work directory of a training run, checkpoint, exported file, or name of a published model'
    )
    parser.add_argument(
        'inputs',
        metavar='INPUT',
        nargs='+',
        help='file, folder (at any depth), pattern in quotes, @LIST with a path a line, - for such a list on standard '
        'input, address, or zip or tar file',
    )
    parser.add_argument(
        '--out',
        metavar='FILE',
        help='write a table to FILE, as .csv, .jsonl or .parquet; a run that was stopped goes on where it was',
    )
    parser.add_argument('--top-k', type=positive, metavar='K', help='name the K best classes; default: the best one')
    parser.add_argument(
        '--threshold', type=share, metavar='T', help='name only classes with a score of at least T, from 0 to 1'
    )
    parser.add_argument('--features', action='store_true', help='write what the classifier sees too: 2048 numbers')
    parser.add_argument('--copy-to', metavar='DIR', help='copy each image into DIR/CLASS; nothing is overwritten')
    parser.add_argument(
        '--deploy', action='store_true', help='fold batch norm into the convolutions first, by switch_to_deploy'
    )
    add_amp_option(parser, 'predict')
    parser.add_argument('--batch-size', type=positive, default=32, metavar='N', help='default: 32')
    parser.add_argument(
        '--workers', type=whole, metavar='N', help='processes that load images; default: one per core, at most 8'
    )
    add_short_options(parser, '--image-size')
    add_verbose_option(parser)
    return parser


def positive(text: str) -> int:
    """Parse a number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 1, got {text}')
    return int(text)


def whole(text: str) -> int:
    """Parse a number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'expected a whole number, got {text}')
    return int(text)


def share(text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'expected a number from 0 to 1, got {text}')
    return value


if __name__ == '__main__':
    parser = build_parser()
    args = parser.parse_intermixed_args()
    if args.out and not args.out.endswith(TABLES):
        parser.error(f'--out {args.out}: expected a file ending in {" or ".join(TABLES)}')
    use_huge_pages()
    # Imported after parsing: torch and mmpretrain take seconds.
    from mmpretrain_inception.apis import PredictOptions, predict
    from mmpretrain_inception.cli import run_tool

    run_tool(lambda: predict(PredictOptions(**{**vars(args), 'inputs': tuple(args.inputs)})))
