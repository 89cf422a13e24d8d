"""Evaluate a checkpoint, or several as an ensemble: python tools/test.py CONFIG CHECKPOINT [CHECKPOINT ...].

A checkpoint in the work directory of its run needs no config: python tools/test.py CHECKPOINT.
"""

from arguments import Parser, add_amp_option, add_run_arguments, parse
from huge_pages import use_huge_pages

# What mmengine can write.
WRITABLE = {'pred': ('.pkl', '.pickle'), 'metrics': ('.json', '.yaml', '.yml', '.pkl', '.pickle')}


def build_parser() -> Parser:
    """Return the parser of the options, which are mmpretrain's and --data."""
    parser = Parser(description='Evaluate a checkpoint, or several as an ensemble.')
    parser.add_argument(
        'config', help='config file, or PACKAGE::PATH; may be absent for a checkpoint in the work directory of its run'
    )
    parser.add_argument(
        'checkpoints',
        metavar='CHECKPOINT',
        nargs='*',
        help='checkpoint file, address, or name of published weights as for --weights of tools/train.py; the scores of '
        'several are averaged; may be absent where the config declares an ensemble',
    )
    parser.add_argument(
        '--out', metavar='FILE', help='write the results to FILE: predictions as .pkl, metrics as .json, .yaml or .pkl'
    )
    parser.add_argument('--out-item', choices=['metrics', 'pred'], help='what --out writes; default: pred')
    add_amp_option(parser, 'evaluate')
    parser.add_argument(
        '--fast',
        action='store_true',
        help='compute in the way that is fastest on this machine, and say which: OpenVINO, ONNX Runtime or PyTorch, in '
        'bfloat16 where the processor has it',
    )
    parser.add_argument(
        '--deploy', action='store_true', help='fold batch norm into the convolutions first, by switch_to_deploy'
    )
    parser.add_argument(
        '--skip-broken',
        action='store_true',
        help='leave out undecodable images and report how many; without it the first one ends the test',
    )
    parser.add_argument(
        '--tta', action='store_true', help="average over the config's test-time augmentation or a mirror"
    )
    parser.add_argument('--show-dir', metavar='DIR', help='write images with their predictions to DIR')
    parser.add_argument('--show', action='store_true', help='show images with their predictions in a window')
    parser.add_argument('--interval', type=int, default=1, help='show one in so many images; default: 1')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds for which a window shows; default: 2')
    add_run_arguments(parser)
    return parser


if __name__ == '__main__':
    parser = build_parser()
    args = parse(parser)
    if args.out_item and not args.out:
        parser.error('--out-item says what to write, but --out FILE is missing')
    endings = WRITABLE[args.out_item or 'pred']
    if args.out and not args.out.endswith(endings):
        parser.error(f'--out {args.out}: expected a file ending in {" or ".join(endings)}')
    use_huge_pages()
    # Imported after parsing: torch and mmpretrain take seconds.
    from mmpretrain_inception.apis import TestOptions, evaluate
    from mmpretrain_inception.cli import run_tool

    run_tool(lambda: evaluate(TestOptions(**{**vars(args), 'checkpoints': tuple(args.checkpoints)})))
