"""Count parameters and multiply-adds: python tools/get_flops.py CONFIG."""

from arguments import Parser, add_config_options


def build_parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(description='Count the parameters and multiply-adds of a model in evaluation.')
    parser.add_argument('config', help='config file, or PACKAGE::PATH')
    parser.add_argument(
        '--shape',
        type=int,
        nargs='+',
        default=[299],
        help='height and width of the image, or one for both; default: 299',
    )
    parser.add_argument('--table', action='store_true', help='print the counts of each layer too')
    add_config_options(parser)
    return parser


def main() -> None:
    """Count and print."""
    height, width = args.shape * 2 if len(args.shape) == 1 else args.shape
    counts = measure_complexity(ConfigOptions(args.config, args.cfg_options), height, width)
    print(format_complexity(counts, height, width, table=args.table))


if __name__ == '__main__':
    parser = build_parser()
    args = parser.parse_args()
    if len(args.shape) > 2:
        parser.error(f'--shape: expected one or two numbers, got {len(args.shape)}')
    # Imported after parsing: torch and mmpretrain take seconds.
    from mmpretrain_inception.apis import ConfigOptions, measure_complexity
    from mmpretrain_inception.cli import run_tool
    from mmpretrain_inception.evaluation.complexity import format_complexity

    run_tool(main)
