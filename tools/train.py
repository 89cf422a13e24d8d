"""Train a model: python tools/train.py CONFIG, or python tools/train.py --data DIR."""

from arguments import Parser, add_amp_option, add_run_arguments, add_short_options, package_table, parse
from huge_pages import use_huge_pages


def build_parser() -> Parser:
    """Return the parser of the options, which are mmpretrain's and --data."""
    parser = Parser(description='Train a model.')
    add_train_arguments(parser)
    return parser


def add_train_arguments(parser: Parser) -> None:
    """Add the options of a training."""
    parser.add_argument(
        'config',
        nargs='?',
        default='',
        help='config file, or PACKAGE::PATH; default with --data: inception-v3_1xb32_folder',
    )
    names = ', '.join(package_table('weights/metafile.py')['published']())
    parser.add_argument(
        '--weights',
        metavar='NAME|FILE|URL|none',
        help=f'weights to start from, in place of load_from of the config: the name of published ones ({names}), for '
        'which images are prepared as by their publisher, a file, an address, or none to train from scratch',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint, or without a value from the newest one in the work directory',
    )
    add_amp_option(parser, 'train')
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate during training')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the images per step over auto_scale_lr.base_batch_size of the config',
    )
    parser.add_argument('--no-persistent-workers', action='store_true', help='restart the data workers every epoch')
    add_short_options(parser, '--epochs', '--lr', '--freeze', '--save-every', '--patience')
    parser.add_argument(
        '--balance', action='store_true', help='count classes alike: weight the loss by the inverse of their images'
    )
    parser.add_argument(
        '--folds', type=int, metavar='K', help='cross-validate: train K times, each on all but one Kth of the images'
    )
    add_run_arguments(parser)


if __name__ == '__main__':
    args = parse(build_parser())
    use_huge_pages()
    # Imported after parsing: torch and mmpretrain take seconds.
    from mmpretrain_inception.apis import TrainOptions, train
    from mmpretrain_inception.cli import run_tool

    run_tool(lambda: train(TrainOptions(**vars(args))))
