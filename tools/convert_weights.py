"""Convert the weights of any publisher of Inception V3: python tools/convert_weights.py SRC DST."""

import argparse

# As in mmpretrain_inception/weights, which is imported only after parsing.
SOURCES = ('auto', 'ours', 'backbone', 'torchvision', 'timm', 'mmpretrain', 'keras', 'pytorch-fid', 'torch-fidelity')
TARGETS = ('ours', 'torchvision', 'timm')
SUFFIXES = ('.pth', '.safetensors')


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(description='Convert the weights of any publisher of Inception V3.')
    parser.add_argument('src', help='.pth, .pt, .safetensors, .h5, .weights.h5, .keras or a checkpoint of mmengine')
    parser.add_argument('dst', help='file to write, .pth or .safetensors; an older one is replaced')
    parser.add_argument('--source', choices=SOURCES, default='auto', help='whose names SRC has; default: they tell')
    parser.add_argument(
        '--to',
        choices=TARGETS,
        default='ours',
        help='whose names DST gets; default: ours. timm takes an auxiliary classifier only with aux_logits=True',
    )
    parser.add_argument(
        '--fold-input-range',
        action='store_true',
        help='make a model that was trained on [-1, 1] take ImageNet-normalised images, with the same results',
    )
    return parser


def main() -> None:
    """Read, check, convert, write."""
    weights = load_weights(args.src, args.source)
    check_whole(weights)
    tensors = fold_input_range(weights.tensors) if args.fold_input_range else weights.tensors
    write_weights(args.dst, from_ours(tensors, args.to), weights.kept_meta if args.to == 'ours' else None)
    print(f'wrote {len(tensors)} tensors of {args.src} (scheme {weights.scheme}) to {args.dst}')


if __name__ == '__main__':
    parser = build_parser()
    args = parser.parse_args()
    if not args.dst.endswith(SUFFIXES):
        parser.error(f'DST ends in {" or ".join(SUFFIXES)}, but {args.dst} came')
    # Imported after parsing: torch and mmpretrain take seconds.
    from mmpretrain_inception.cli import run_tool
    from mmpretrain_inception.weights import check_whole, fold_input_range, from_ours, load_weights, write_weights

    run_tool(main)
