"""The contract of a network, derived from a config."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmpretrain.models import ClsHead, MultiLabelClsHead

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.parts import NETWORK_TYPES, PARTS, describe_network
from mmpretrain_inception.deploy.pipeline import TRANSFORM_TYPES, describe_pipeline
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import DATASETS, MODELS, is_kind

# Height and width of the images that the test pipeline is tried on.
_PROBES = ((400, 500), (640, 480))
# mmpretrain's MultiLabelClsHead, where neither thr nor topk is set.
_THRESHOLD = 0.5


def num_classes_of(cfg: Config) -> int | None:
    """Return the number of classes of a config's classifier."""
    parts = [cfg.model.get(part) or {} for part in ('head', 'backbone')]
    return next((part['num_classes'] for part in parts if 'num_classes' in part), None)


def classes_of_dataset(cfg: Config) -> Sequence[str] | None:
    """Return the names that the test dataset gives its classes, without reading its images."""
    dataset = cfg.test_dataloader.dataset
    declared = dataset.get('classes') or dataset.get('metainfo', {}).get('classes')
    if isinstance(declared, (list, tuple)):
        return declared
    found = DATASETS.get(dataset.type)
    return getattr(found, 'METAINFO', {}).get('classes')


def contract_from_config(
    cfg: Config, num_classes: int, *, classes: tuple[str, ...] | None = None, with_preprocess: bool = False
) -> Contract:
    """Return the contract of a config's classifier.

    Args:
        cfg: The config; data preprocessor, test pipeline and head are used.
        num_classes: Number of classes.
        classes: Their names.
        with_preprocess: Whether normalisation goes into the graph.

    Returns:
        The contract. Its ``preparation`` is None where no step describes a transform of the test pipeline, and its
        ``activation`` where the head is neither mmpretrain's ``ClsHead`` nor its ``MultiLabelClsHead``;
        :func:`unknown_parts` says so to the user.

    Raises:
        InputError: If the preprocessor pads, images differ in size or in type from the input, or the network takes
            images of other than 3 channels.
    """
    settings: dict[str, Any] = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    if settings.get('pad_size_divisor', 1) != 1:
        raise InputError(
            'export: expected images of one size, got padding (data_preprocessor.pad_size_divisor); export without it'
        )
    channels = (cfg.model.get('backbone') or {}).get('in_channels', 3)
    if channels != 3:
        raise InputError(f'an exported network takes images of 3 channels, got model.backbone.in_channels={channels}')
    pipeline = _build_pipeline(cfg)
    height, width = _image_size(pipeline, with_preprocess)
    contract = Contract(
        num_classes=num_classes,
        height=height,
        width=width,
        mean=_three(settings.get('mean') or [0.0]),
        std=_three(settings.get('std') or [1.0]),
        channel_order='RGB' if settings.get('to_rgb') else 'BGR',
        with_preprocess=with_preprocess,
        classes=classes,
        preparation=describe_pipeline(pipeline.transforms)[0],
        val_share=_tested(cfg).get('val_share'),
        config=Path(cfg.filename or '').name,
    )
    return replace(contract, **scores_of(cfg.model.get('head') or {}))


def checkpoint_contract(cfg: Config, classes: Sequence[str] | None = None) -> tuple[Contract | None, str]:
    """Return the contract for the checkpoints of a config's classifier.

    Args:
        cfg: The config.
        classes: Names of the classes. Defaults to None: unknown.

    Returns:
        The contract, which says how the network is built and images are prepared, and ''. None, and the reason, where
        no rule describes a part of the config.
    """
    network, reason = describe_network(cfg.get('model') or {})
    if network is None:
        return None, reason
    if not cfg.get('test_dataloader'):
        # A config that only trains and validates.
        cfg = deepcopy(cfg)
        cfg.test_dataloader = cfg.get('val_dataloader')
    number = network['head']['num_classes']
    names = tuple(map(str, classes)) if classes and len(classes) == number else None
    try:
        contract = contract_from_config(cfg, number, classes=names)
    # The user's own transforms may raise anything, also on an image that is not of their data.
    except Exception as error:
        return None, f'the test pipeline: {" ".join(str(error).split()) or type(error).__name__}'
    if contract.preparation is None:
        return None, unknown_parts(cfg, contract)[0]
    return replace(contract, network=network), ''


def foreign_types(cfg: Config) -> list[str]:
    """Return what :func:`checkpoint_contract` would look up beyond the classes that have rules, by dotted names.

    mmengine imports a module of the name of a type that nobody has registered. So a config from a stranger may have
    none.
    """
    model = cfg.get('model') or {}
    network = {'model': model, **{f'model.{part}': model.get(part) or {} for part in PARTS}}
    steps = {f'test_pipeline.{number}': step for number, step in enumerate(_test_pipeline(cfg))}
    return [
        f'{name}.type={settings.get("type")}'
        for known, places in ((NETWORK_TYPES, network), (TRANSFORM_TYPES, steps))
        for name, settings in places.items()
        if not _is_known(settings.get('type'), known)
    ]


def _is_known(name: Any, known: frozenset[str]) -> bool:
    scope, _, last = str(name).rpartition('.')
    return last in known and scope in ('', 'mmpretrain_inception', 'mmpretrain', 'mmengine', 'mmcv')


def unknown_parts(cfg: Config, contract: Contract) -> list[str]:
    """Return one line for each part of a contract that the config does not settle.

    Args:
        cfg: The config.
        contract: What :func:`contract_from_config` returned for it.
    """
    lines = []
    if contract.preparation is None:
        transform = describe_pipeline(_build_pipeline(cfg).transforms)[1]
        lines.append(f'the contract says nothing of resizing and cropping (preparation: null): no rule for {transform}')
    if contract.activation is None:
        head = (cfg.model.get('head') or {}).get('type', 'no head')
        lines.append(f'the contract does not say what turns logits into scores (activation: null): no rule for {head}')
    return lines


def scores_of(head: dict[str, Any]) -> dict[str, Any]:
    """Return what turns logits into predictions by a head's config: fields of :class:`Contract`."""
    if is_kind(head, MultiLabelClsHead, MODELS):
        threshold, topk = head.get('thr'), head.get('topk')
        if threshold is None and topk is None:
            threshold = _THRESHOLD
        return dict(activation='sigmoid', threshold=threshold, topk=None if threshold is not None else topk)
    return dict(activation='softmax' if is_kind(head, ClsHead, MODELS) else None)


def _three(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values) * (3 if len(values) == 1 else 1)


def _build_pipeline(cfg: Config) -> Compose:
    pipeline = _test_pipeline(cfg)
    if not pipeline:
        raise InputError('an export takes the size of its images from test_dataloader.dataset.pipeline, got none')
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    return Compose(deepcopy(pipeline))


def _test_pipeline(cfg: Config) -> Sequence[dict[str, Any]]:
    return _tested(cfg).get('pipeline') or []


def _tested(cfg: Config) -> dict[str, Any]:
    """Return the settings of the test dataset."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    # RepeatDataset and its like hold the dataset that they wrap.
    while 'pipeline' not in dataset and isinstance(dataset.get('dataset'), dict):
        dataset = dataset['dataset']
    return dataset


def _image_size(pipeline: Compose, with_preprocess: bool) -> tuple[int, int]:
    """Return height and width after the test pipeline; they must be the same for every image."""
    sizes = set()
    with tempfile.TemporaryDirectory() as folder:
        for height, width in _PROBES:
            file = str(Path(folder, f'{height}.png'))
            cv2.imwrite(file, np.zeros((height, width, 3), dtype=np.uint8))
            image = pipeline(dict(img_path=file, img_label=0, gt_label=0))['inputs']
            sizes.add(tuple(image.shape[-2:]))
    if len(sizes) > 1:
        raise InputError(
            'export: expected images of one size, got '
            f'{" and ".join(f"{height} x {width}" for height, width in sorted(sizes))} from the test pipeline; '
            'crop them at its end'
        )
    if with_preprocess and image.dtype != torch.uint8:
        kind = str(image.dtype).removeprefix('torch.')
        raise InputError(
            f'--with-preprocess: expected uint8 images, got {kind} from the test pipeline; export without this option'
        )
    (size,) = sizes
    return size
