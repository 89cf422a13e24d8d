"""Find image files that cannot be decoded: python tools/verify_dataset.py DIR_OR_CONFIG [...]."""

from arguments import Parser, add_config_options, add_data_arguments


def build_parser() -> Parser:
    """Return the parser of the options."""
    parser = Parser(
        description='Decode every image file of folders or of the datasets of configs, as training and testing do, and '
        'list those that cannot be decoded. The exit status is 1 if there are any.'
    )
    parser.add_argument(
        'sources',
        metavar='DIR_OR_CONFIG',
        nargs='+',
        help='folder of images, at any depth; .csv file of path,label; or config file or PACKAGE::PATH, for its '
        'datasets for training, validation and testing, decoded as in their pipelines',
    )
    add_data_arguments(parser)
    parser.add_argument(
        '--out',
        metavar='FILE',
        help='write the broken files to FILE: as .json with reason, size, format and mode, as .txt one path per line',
    )
    parser.add_argument('--workers', type=int, metavar='N', help='processes that decode; default: one per core')
    add_config_options(parser)
    return parser


def main() -> None:
    """Decode all files, print the broken ones and a summary, and write the report."""
    if args.out:
        check_output_file(args.out, '--out')
    sources = [source for name in args.sources for source in sources_of(name)]
    broken = []
    for source in sources:
        found = find_broken(source.paths, source.load, args.workers or available_cores(), source.name)
        broken += found.values()
        for image in found.values():
            print(image)
        if source.unused:
            print(f'{printable(source.name)}: not used: {count_kinds(source.unused)}')
    checked = sum(len(source.paths) for source in sources)
    print(summarize(checked, broken))
    if args.out:
        write_report(args.out, checked, broken)
        print(f'written: {args.out}')
    if broken:
        raise InputError(f'{len(broken):,} of {checked:,} image files cannot be decoded')


def sources_of(name: str) -> list['Source']:
    """Return the image files of a folder, a table or a config."""
    if os.path.isdir(name):
        return [folder_source(name)]
    if name.lower().endswith(CSV_ENDINGS):
        return [source_of(CsvImages(name, pipeline=[LoadImage()]), name)]
    sources, notes = dataset_sources(DataOptions(name, args.cfg_options, args.data, args.val_share))
    for note in notes:
        print(note)
    return sources


if __name__ == '__main__':
    parser = build_parser()
    args = parser.parse_args()
    if args.out and not args.out.endswith(('.json', '.txt')):
        parser.error(f'--out: expected a file ending in .json or .txt, got {args.out}')
    if args.workers is not None and args.workers < 1:
        parser.error(f'--workers: expected a number of at least 1, got {args.workers}')
    # Imported after parsing: torch and mmpretrain take seconds.
    import os

    from mmpretrain_inception.apis import DataOptions, dataset_sources
    from mmpretrain_inception.cli import run_tool
    from mmpretrain_inception.configuring.checks import check_output_file
    from mmpretrain_inception.datasets import CsvImages, LoadImage
    from mmpretrain_inception.datasets.csv_table import CSV_ENDINGS
    from mmpretrain_inception.datasets.image_kinds import count_kinds
    from mmpretrain_inception.datasets.verify import (
        Source,
        find_broken,
        folder_source,
        source_of,
        summarize,
        write_report,
    )
    from mmpretrain_inception.errors import InputError
    from mmpretrain_inception.utils.cores import available_cores
    from mmpretrain_inception.utils.wording import printable

    run_tool(main)
