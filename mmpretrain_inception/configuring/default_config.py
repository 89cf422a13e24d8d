"""The config of commands that name none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmpretrain_inception.configuring.options import TestOptions, TrainOptions
from mmpretrain_inception.errors import UsageError

FOLDER_CONFIG = 'mmpretrain_inception::inception_v3/inception-v3_1xb32_folder.py'
_CONFIG_ENDINGS = ('.py', '.json', '.yaml', '.yml')


def choose_config(options: TrainOptions) -> tuple[TrainOptions, tuple[str, ...]]:
    """Fill in the config of a training that names none: :data:`FOLDER_CONFIG`, for images of one's own.

    Returns:
        The options with a config, and a line for the user if it was chosen here.

    Raises:
        UsageError: If there is no data either.
    """
    if options.config:
        return options, ()
    if options.data is None:
        raise UsageError('expected a config, or --data DIR with images of your own')
    note = f'config: {FOLDER_CONFIG.rpartition("/")[2]}, which is for images of your own'
    return replace(options, config=FOLDER_CONFIG), (note,)


def find_config(options: TestOptions) -> tuple[TestOptions, tuple[str, ...]]:
    """Fill in the config of a test whose only argument is a checkpoint: the one that its run wrote into the folder.

    Args:
        options: The options, with the checkpoint in place of the config.

    Returns:
        The options with a config, and a line for the user if it was found here.

    Raises:
        UsageError: If there is a checkpoint and no config, or more than one.
    """
    checkpoint = Path(options.config)
    named = '::' in options.config or checkpoint.suffix in _CONFIG_ENDINGS
    if named or options.checkpoints or not checkpoint.is_file():
        return options, ()
    found = sorted(checkpoint.parent.glob('*.py'))
    if len(found) != 1:
        names = ', '.join(path.name for path in found[:3]) or 'none'
        raise UsageError(
            f'{checkpoint}: expected the config of its run in the same folder, got {names}; '
            'give both: tools/test.py CONFIG CHECKPOINT'
        )
    note = f'config: {found[0]}, which the run of the checkpoint wrote'
    return replace(options, config=str(found[0]), checkpoints=(options.config,)), (note,)
