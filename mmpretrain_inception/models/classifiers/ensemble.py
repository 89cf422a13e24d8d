"""Several classifiers as one."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader
from mmpretrain.models import ClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models.backbones.inception_v3 import InceptionV3
from mmpretrain_inception.models.classifiers.average import average_scores
from mmpretrain_inception.registry import MODELS


@MODELS.register_module()
class EnsembleClassifier(BaseModel):
    """Averages the scores of several classifiers, which see the same images and each normalise them for themselves.

    It predicts only. The weights are loaded when it is built, as ``tools/test.py`` loads those of one model: of any
    publisher, safely, and so that they fill the member.

    Args:
        members: One or more of ``dict(model=CONFIG, checkpoint=FILE)``. The model is mmpretrain's config of a
            classifier, with its own ``data_preprocessor``; the file may be an address, or None to leave the model as it
            is initialised.
        data_preprocessor: That of members that have none. Defaults to None.

    Raises:
        ValueError: If there is no member, a file does not fill its model, or the members have other classes.
    """

    def __init__(self, members: Sequence[dict[str, Any]], data_preprocessor: dict[str, Any] | None = None) -> None:
        super().__init__()
        if not members:
            raise InputError('an ensemble has at least one member, but none came')
        self.members = nn.ModuleList(_build(member['model'], data_preprocessor) for member in members)
        # A head without a classifier of its own, such as that of mmpretrain's Inception V3, does not know them.
        sizes = {f'member {n}': getattr(member.head, 'num_classes', None) for n, member in enumerate(self.members, 1)}
        _refuse_other_classes({name: range(size) for name, size in sizes.items() if size})
        checkpoints = [member.get('checkpoint') for member in members]
        # The weights package builds models, hence the import here.
        from mmpretrain_inception.weights import class_names

        metas = {name: load_member(member, name) for member, name in zip(self.members, checkpoints) if name}
        named = {name: class_names(meta) for name, meta in metas.items()}
        _refuse_other_classes({name: classes for name, classes in named.items() if classes})

    @property
    def head(self) -> ClsHead:
        """The first member's head, which says how many classes there are."""
        return cast('ClsHead', self.members[0].head)

    def forward(
        self, inputs: Tensor | list[Tensor], data_samples: list[DataSample] | None = None, mode: str = 'predict'
    ) -> list[DataSample]:
        """Predict a batch of images as they leave the data loader.

        Args:
            inputs: Images before normalisation, of shape (N, 3, H, W), or as many of shape (3, H, W).
            data_samples: One for each image. Defaults to None: new ones.
            mode: 'predict'.

        Raises:
            ValueError: If ``mode`` is another.
        """
        if mode != 'predict':
            raise InputError(f'an ensemble predicts only, but {mode!r} was asked for; train its members one by one')
        data = dict(inputs=inputs, data_samples=data_samples or [DataSample() for _ in inputs])
        return average_scores(cast('BaseModel', member).test_step(data) for member in self.members)


def _build(model: dict[str, Any], data_preprocessor: dict[str, Any] | None) -> nn.Module:
    # mmpretrain's classifier adds to the dicts that it is given.
    model = deepcopy(dict(model))
    model.setdefault('data_preprocessor', deepcopy(data_preprocessor))
    return MODELS.build(model)


def load_member(model: nn.Module, checkpoint: str) -> dict[str, Any]:
    """Load a file into a classifier, which it has to fill.

    Args:
        model: mmpretrain's classifier.
        checkpoint: File or address; with our backbone of any publisher, else in the model's own names.

    Returns:
        The plain metadata of the file.

    Raises:
        InputError: If the file cannot be read safely or does not fill the model.
    """
    # The weights package builds models, hence the import here.
    from mmpretrain_inception.weights import compare, fit_to_model, refuse_mismatch, to_ours

    content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    meta = content.get('meta') or {}
    # mmengine takes a file without this key for a bare state dict.
    tensors = content.get('state_dict', content)
    own = model.state_dict()
    if isinstance(getattr(model, 'backbone', None), InceptionV3):
        fit = fit_to_model(to_ours(tensors, meta=meta, origin=checkpoint), model)
        for note in fit.notes:
            print_log(note, logger='current')
        tensors = {**fit.tensors, **{name: own[name] for name in fit.kept}}
    else:
        refuse_mismatch(checkpoint, compare(tensors, own))
    model.load_state_dict(tensors)
    print_log(f'Load checkpoint from {checkpoint}', logger='current')
    return meta


def _refuse_other_classes(classes: dict[str, Sequence[Any]]) -> None:
    """Refuse members whose classes are not those of the first.

    Args:
        classes: Of each member, by what it is called in the message.
    """
    if not classes:
        return
    (first, expected), *others = classes.items()
    for name, found in others:
        if len(found) != len(expected):
            raise InputError(
                f'the members of an ensemble have the same classes, but {first} has {len(expected)} of them '
                f'and {name} has {len(found)}'
            )
        if found != expected:
            position = next(n for n, pair in enumerate(zip(expected, found)) if pair[0] != pair[1])
            raise InputError(
                f'the members of an ensemble have the same classes, but class {position} of {first} is '
                f'{expected[position]} and of {name} it is {found[position]}'
            )
