"""Several classifiers as one."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

from mmengine.model import BaseModel
from mmpretrain.models import ClsHead, MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models.classifiers.average import average_scores
from mmpretrain_inception.registry import MODELS
from mmpretrain_inception.weights import class_names, load_into


@MODELS.register_module()
class EnsembleClassifier(BaseModel):
    """Averages the scores of several classifiers on the same images. Each member normalises them itself.

    It only predicts. Weights are loaded when it is built, like those of a single model: from any publisher, without
    executing code, and they have to fill the member.

    Args:
        members: One or more of ``dict(model=CONFIG, checkpoint=FILE)``. The model is mmpretrain's config of a
            classifier, with its own ``data_preprocessor``; the file may be an address, or None to keep the
            initialisation.
        data_preprocessor: For members that have none. Defaults to None.

    Raises:
        InputError: If there is no member, a file does not fill its model, or the classes of the members differ.
    """

    def __init__(self, members: Sequence[dict[str, Any]], data_preprocessor: dict[str, Any] | None = None) -> None:
        super().__init__()
        if not members:
            raise InputError('ensemble: expected at least one member, got none')
        self.members = nn.ModuleList(_build(member['model'], data_preprocessor) for member in members)
        # A head without a classifier, such as that of mmpretrain's Inception V3, does not know the number of classes.
        sizes = {f'member {n}': getattr(member.head, 'num_classes', None) for n, member in enumerate(self.members, 1)}
        _refuse_other_classes({name: range(size) for name, size in sizes.items() if size})
        if len({isinstance(member.head, MultiLabelClsHead) for member in self.members}) > 1:
            raise InputError('ensemble: expected members for one label per image, or for several, got both kinds')
        checkpoints = [member.get('checkpoint') for member in members]
        metas = {name: load_into(member, name).meta for member, name in zip(self.members, checkpoints) if name}
        named = {name: class_names(meta) for name, meta in metas.items()}
        _refuse_other_classes({name: classes for name, classes in named.items() if classes})

    @property
    def head(self) -> ClsHead:
        """The head of the first member, which knows the number of classes."""
        return cast('ClsHead', self.members[0].head)

    def forward(
        self, inputs: Tensor | list[Tensor], data_samples: list[DataSample] | None = None, mode: str = 'predict'
    ) -> list[DataSample]:
        """Predict a batch of images from the data loader.

        Args:
            inputs: Images before normalisation, of shape (N, 3, H, W), or a list of shape (3, H, W) each.
            data_samples: One for each image. Defaults to None: new ones.
            mode: 'predict'.

        Raises:
            InputError: If ``mode`` is another one.
        """
        if mode != 'predict':
            raise InputError(f"ensemble: expected mode 'predict', got {mode!r}; train its members one by one")
        data = dict(inputs=inputs, data_samples=data_samples or [DataSample() for _ in inputs])
        return average_scores((cast('BaseModel', member).test_step(data) for member in self.members), self.head)


def _build(model: dict[str, Any], data_preprocessor: dict[str, Any] | None) -> nn.Module:
    # mmpretrain's classifier changes the dicts that it gets.
    model = deepcopy(dict(model))
    model.setdefault('data_preprocessor', deepcopy(data_preprocessor))
    return MODELS.build(model)


def _refuse_other_classes(classes: dict[str, Sequence[Any]]) -> None:
    """Refuse members with other classes than the first.

    Args:
        classes: The classes of each member, by its name in messages.
    """
    if not classes:
        return
    (first, expected), *others = classes.items()
    for name, found in others:
        if len(found) != len(expected):
            raise InputError(
                f'ensemble: expected members with the same classes, got {len(expected)} in {first} '
                f'and {len(found)} in {name}'
            )
        if found != expected:
            position = next(n for n, pair in enumerate(zip(expected, found)) if pair[0] != pair[1])
            raise InputError(
                f'ensemble: expected members with the same classes, got {expected[position]} as class {position} '
                f'in {first} and {found[position]} in {name}'
            )
