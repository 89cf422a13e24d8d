"""Export a checkpoint."""

from __future__ import annotations

import numpy as np
from mmengine.config import Config

from mmpretrain_inception.apis.export_parts import load_classifier, test_images, training_images
from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import ExportOptions
from mmpretrain_inception.configuring.settings import settings_explained
from mmpretrain_inception.deploy.choose import choose_backend
from mmpretrain_inception.deploy.export import export_model
from mmpretrain_inception.deploy.from_config import contract_from_config, num_classes_of, unknown_parts
from mmpretrain_inception.utils.progress import slow
from mmpretrain_inception.utils.terminal_log import for_a_person

# How many images the file is compared with the model on.
_COMPARED_IMAGES = 32


def export(options: ExportOptions) -> str:
    """Export a checkpoint for a runtime, and compare the file with the model.

    Args:
        options: The config, the checkpoint, the runtime and the file to write.

    Returns:
        What was written and how much it differs from the checkpoint's model, for the user.

    Raises:
        UsageError: If runtime, precision and the ending of the file do not fit together.
        InputError: If the checkpoint, the data or a library is missing, or the difference is too large.
    """
    with for_a_person(verbose=options.verbose), settings_explained(options):
        with slow(f'preparing {options.config}'):
            configured = configure(options)
        return '\n'.join((*configured.notes, _export(configured.cfg, options)))


def _export(cfg: Config, options: ExportOptions) -> str:
    choose_backend(options.to, options.precision, options.out)
    model, classes = load_classifier(cfg, options.checkpoint)
    # Only mmpretrain's heads without layers do not set the number.
    number = num_classes_of(cfg) or len(classes or ())
    contract = contract_from_config(cfg, number, classes=classes, with_preprocess=options.with_preprocess)
    for line in unknown_parts(cfg, contract):
        print(line)
    calibration: list[np.ndarray] | None = None
    if options.precision == 'int8':
        calibration = training_images(cfg, model, contract, options.calibration)
        print(f'calibrating on {len(calibration)} training images')
    images = test_images(cfg, model, contract, _COMPARED_IMAGES)
    if images is None:
        print('the test data of the config was not found; comparing on noise only')
    difference = export_model(
        model,
        options.out,
        to=options.to,
        precision=options.precision,
        contract=contract,
        calibration=calibration,
        images=images,
    )
    size = ' x '.join(map(str, contract.image_shape))
    return (
        f'wrote {options.out}: {options.to} {options.precision}, '
        f'N x {size} {contract.dtype} to N x {contract.num_classes}\n'
        f'{difference}'
    )
