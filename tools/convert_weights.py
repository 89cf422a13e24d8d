"""Convert the weights of any publisher of Inception V3: python tools/convert_weights.py SRC DST."""

from arguments import Parser, package_table

TABLE = package_table('weights/publishers.py')
SUFFIXES = TABLE['SUFFIXES']


def build_parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(description='Convert the weights of any publisher of Inception V3.')
    parser.add_argument('src', help='.pth, .pt, .safetensors, .h5, .weights.h5, .keras or a checkpoint of mmengine')
    parser.add_argument('dst', help='file to write, .pth or .safetensors; an existing file is replaced')
    parser.add_argument(
        '--source', choices=TABLE['SOURCES'], default='auto', help='publisher whose names SRC uses; default: detected'
    )
    parser.add_argument(
        '--to',
        choices=TABLE['TARGETS'],
        default='ours',
        help='publisher whose names DST gets; default: ours. For timm, an auxiliary classifier needs aux_logits=True',
    )
    parser.add_argument(
        '--fold-input-range',
        action='store_true',
        help='adapt a model that was trained on [-1, 1] to ImageNet-normalised images; the results stay the same',
    )
    return parser


def main() -> None:
    """Convert, and say what was written."""
    print(convert(args.src, args.dst, args.source, args.to, args.fold_input_range))


if __name__ == '__main__':
    parser = build_parser()
    args = parser.parse_args()
    if not args.dst.endswith(SUFFIXES):
        parser.error(f'DST: expected a name that ends in {" or ".join(SUFFIXES)}, got {args.dst}')
    # Imported after parsing: torch and mmpretrain take seconds.
    from mmpretrain_inception.apis.convert import convert
    from mmpretrain_inception.cli import run_tool

    run_tool(main)
