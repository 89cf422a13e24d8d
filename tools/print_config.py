"""Print the config that a training runs: python tools/print_config.py CONFIG [options of tools/train.py]."""

import sys

from arguments import Parser
from train import add_train_arguments


def build_parser() -> Parser:
    """Return the parser of the options, which are those of tools/train.py and --diff."""
    parser = Parser(
        description='Print the config that tools/train.py runs with the same options. The output is a config, too.'
    )
    add_train_arguments(parser)
    parser.add_argument(
        '--diff',
        nargs='?',
        const='',
        metavar='CONFIG',
        help='print only what differs from another config, or without a value what the options change: '
        'KEY: theirs -> ours',
    )
    return parser


def main() -> None:
    """Print."""
    if diff is not None:
        with for_a_person(verbose=options.verbose):
            lines = [f'{key}: {old!r} -> {new!r}' for key, old, new in differences(options, diff)]
        print(*(lines or ['no difference']), sep='\n')
        return
    with for_a_person(verbose=options.verbose):
        cfg, notes = final_config(options)
    print(cfg.pretty_text.rstrip())
    for note in notes:
        print(note, file=sys.stderr)


if __name__ == '__main__':
    args = vars(build_parser().parse_args())
    del args['local_rank']
    diff = args.pop('diff')
    # Imported after parsing: torch and mmpretrain take seconds.
    from mmpretrain_inception.apis import TrainOptions, differences, final_config
    from mmpretrain_inception.cli import run_tool
    from mmpretrain_inception.utils.terminal_log import for_a_person

    options = TrainOptions(**args)
    run_tool(main)
