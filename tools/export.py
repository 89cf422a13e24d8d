"""Export a checkpoint for a runtime: python tools/export.py CONFIG CHECKPOINT --to RUNTIME --out FILE."""

from arguments import (
    Parser,
    add_config_options,
    add_data_arguments,
    add_short_options,
    add_verbose_option,
    package_table,
)

TABLE = package_table('deploy/table.py')
BACKENDS, PRECISIONS = TABLE['BACKENDS'], TABLE['PRECISIONS']


def build_parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(description='Export a checkpoint for ONNX Runtime, OpenVINO or PyTorch.')
    parser.add_argument('config', help='config file, or PACKAGE::PATH')
    parser.add_argument(
        'checkpoint',
        metavar='CHECKPOINT',
        help='checkpoint file, address or name of published weights, as tools/test.py takes it',
    )
    parser.add_argument('--to', choices=BACKENDS, required=True, help='runtime that the file is for')
    parser.add_argument('--out', metavar='FILE', required=True, help='file to write; an older one is replaced')
    parser.add_argument('--precision', choices=PRECISIONS, default='fp32', help='default: fp32')
    parser.add_argument(
        '--with-preprocess',
        action='store_true',
        help='take uint8 RGB images, (N, H, W, 3), and normalise them in the network',
    )
    parser.add_argument(
        '--calibration',
        type=int,
        default=300,
        metavar='N',
        help='images of the training pipeline to calibrate int8 on; default: 300',
    )
    add_data_arguments(parser)
    add_short_options(parser, '--image-size')
    add_verbose_option(parser)
    add_config_options(parser)
    return parser


if __name__ == '__main__':
    parser = build_parser()
    args = parser.parse_args()
    suffix = BACKENDS[args.to].suffix
    if not args.out.endswith(suffix):
        parser.error(f'--out {args.out}: expected a file ending in {suffix} for {args.to}')
    if args.calibration < 1:
        parser.error(f'--calibration: expected a number of images, got {args.calibration}')
    # Imported after parsing: torch and mmpretrain take seconds.
    from mmpretrain_inception.apis import ExportOptions, export
    from mmpretrain_inception.cli import run_tool

    run_tool(lambda: print(export(ExportOptions(**vars(args)))))
