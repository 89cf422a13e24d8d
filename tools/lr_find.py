"""Find a learning rate: python tools/lr_find.py CONFIG [options of tools/train.py]."""

from arguments import Parser, parse
from train import add_train_arguments


def build_parser() -> Parser:
    """Return the parser of the options, which are those of tools/train.py and of the sweep."""
    parser = Parser(
        description='Train a few batches at rising learning rates, draw the loss, and print the rate at which it '
        'falls most steeply. Nothing of this training is kept.'
    )
    add_train_arguments(parser)
    parser.add_argument('--start', type=float, default=1e-6, metavar='X', help='lowest rate; default: 1e-6')
    parser.add_argument('--end', type=float, default=1.0, metavar='X', help='highest rate; default: 1')
    parser.add_argument('--steps', type=int, default=100, metavar='N', help='number of batches; default: 100')
    return parser


def main() -> None:
    """Sweep and print."""
    found = find_lr(TrainOptions(**args), **sweep)
    print(f'learning rate {found.rate:g}, {found.rule} ({found.steps} batches)')
    print(f'picture       {found.picture}')
    print(f'next          tools/train.py with --lr {found.rate:g}')


if __name__ == '__main__':
    args = vars(parse(build_parser()))
    sweep = {name: args.pop(name) for name in ('start', 'end', 'steps')}
    # Imported after parsing: torch and mmpretrain take seconds.
    from mmpretrain_inception.apis import TrainOptions, find_lr
    from mmpretrain_inception.cli import run_tool

    run_tool(main)
