"""Options that several tools share. It imports neither torch nor the package, so `--help` is instant."""

import argparse
import os
import re
import runpy
import sys
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn


def print_what_is_missing(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print in one line what the package says is missing; anything else keeps its traceback. Set as a hook."""
    if isinstance(error, ImportError) and error.name == 'mmpretrain_inception':
        print(f'error: {error}', file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def package_table(name: str) -> dict[str, Any]:
    """Return the contents of a module of plain tables without importing the package, which takes seconds.

    Args:
        name: Path of the module inside the package.
    """
    spec = find_spec('mmpretrain_inception')
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit('error: mmpretrain_inception is not installed; run pip install -e . in its repository')
    return runpy.run_path(str(Path(spec.submodule_search_locations[0], name)))


sys.excepthook = print_what_is_missing
package_table('stack.py')['require_stack']()

from mmengine.config import DictAction  # noqa: E402 - after the check that it is there


class Parser(argparse.ArgumentParser):
    """argparse's parser, whose errors are two lines: what is wrong, and the nearest option or where to read on."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit with status 2."""
        unknown = re.match(r'unrecognized arguments: .*?(?<!\S)(--?\w[\w-]*)', message)
        known = [option for option in self._option_string_actions if option.startswith('--')]
        near = get_close_matches(unknown[1].replace('_', '-'), known, n=1) if unknown else []
        if unknown:
            message = f'{unknown[1]}: no such option'
        elif message.startswith('unrecognized arguments: '):
            message = f'{message.removeprefix("unrecognized arguments: ")}: not expected here'
        hint = f'did you mean {near[0]}?' if near else f'{self.prog} --help lists the options'
        self.exit(2, f'error: {message}\n{hint}\n')


class ConfigOptions(DictAction):
    """mmengine's action, with a usage error where that one leaves an exception; values are data and not evaluated."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Parse ``KEY=VALUE``."""
        for option in values:
            key, separator, value = option.partition('=')
            if not separator or not all(key.split('.')):
                parser.error(f'--cfg-options {option}: expected KEY=VALUE, with a dotted name as KEY')
            if value.count('(') != value.count(')') or value.count('[') != value.count(']'):
                parser.error(f'--cfg-options {option}: expected as many closing as opening brackets')
        super().__call__(parser, namespace, values, option_string)


# The short options: type, placeholder and help of each.
SHORT: dict[str, tuple[type, str, str]] = {
    '--epochs': (int, 'N', 'number of epochs; schedules, warm-up and running averages follow'),
    '--batch-size': (int, 'N', 'images in a batch of each process'),
    '--image-size': (str, 'H|HxW', 'size of the images in pixels; crops and what comes before them follow'),
    '--lr': (float, 'X', 'learning rate'),
    '--seed': (int, 'N', 'seed of the random numbers'),
    '--workers': (int, 'N', 'processes that load images; 0: none'),
    '--freeze': (str, 'STAGE', 'last stage of the backbone to freeze, by number or name, or all'),
    '--save-every': (int, 'N', 'epochs between checkpoints (iterations in a run that counts those)'),
    '--patience': (int, 'N', 'end the training after so many validations without a new best'),
}


def add_short_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add short options for what everyone changes; each sets all that has to move together.

    Args:
        parser: The parser.
        *names: Which of :data:`SHORT`.
    """
    for name in names:
        kind, placeholder, text = SHORT[name]
        parser.add_argument(name, type=kind, metavar=placeholder, help=f"{text}; default: the config's")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of everything that builds a Runner."""
    parser.add_argument('--work-dir', help='folder for logs and checkpoints; default: work_dirs/<name of the config>')
    add_data_arguments(parser)
    add_short_options(parser, '--batch-size', '--image-size', '--seed', '--workers')
    add_verbose_option(parser)
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin the memory of batches')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='what started the processes'
    )
    # torch.distributed.launch passes it; torchrun sets the environment instead.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    add_config_options(parser)


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for the user's own images."""
    parser.add_argument(
        '--data',
        metavar='PATH',
        help='your own images, for configs that declare image_folder: a folder with train/<class>/* and val/<class>/* '
        '(and test/<class>/*), a folder with <class>/*, or a .csv file of path,label; the classes come from it',
    )
    parser.add_argument(
        '--val-share',
        type=float,
        metavar='SHARE',
        help='share of the images to validate with, where PATH does not divide them; default: 0.2. The content of an '
        'image decides, so that each stays where it is when others come and go',
    )


def add_verbose_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that shows everything."""
    parser.add_argument(
        '--verbose',
        action='store_true',
        help="show the whole log and all warnings of mmengine and other libraries; a run's log file has them anyway",
    )


def add_amp_option(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the option for mixed precision.

    Args:
        parser: The parser.
        verb: What the tool does, for the help.
    """
    parser.add_argument(
        '--amp',
        nargs='?',
        choices=['force'],
        const=True,
        default=False,
        help=f'{verb} in mixed precision: bfloat16, or float16 on GPUs without it; CPUs that only emulate bfloat16 '
        'stay in float32, except with --amp force',
    )


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the option that changes single settings of the config."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help='settings that replace those of the config, e.g. model.backbone.frozen_stages=2 '
        'optim_wrapper.optimizer.lr=0.01 key="[(a,b),(c,d)]" (lists and tuples in quotes, without spaces)',
    )


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line, and set LOCAL_RANK in the environment, where mmengine looks for it."""
    # Intermixed, so that options may come between and before any number of checkpoints.
    args = parser.parse_intermixed_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    del args.local_rank
    return args
