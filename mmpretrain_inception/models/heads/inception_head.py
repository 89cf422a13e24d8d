"""The classifiers of Inception V3: the main one, and an auxiliary one for training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpretrain.evaluation.metrics import Accuracy
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn import functional

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models.backbones.blocks import BATCH_NORM, BasicConv2d, truncated_normal
from mmpretrain_inception.models.heads.ranks import clamp_topk
from mmpretrain_inception.registry import MODELS


class InceptionAux(BaseModule):
    """The auxiliary classifier on the 17x17 map (section 4 and figure 8 of arXiv:1512.00567).

    On a map smaller than 5x5, only the middle of the 5x5 kernel is used, so the same parameters work at every input
    size; TensorFlow's ``research/slim/nets/inception_v3.py`` builds a smaller kernel instead. The average pool shrinks
    too, unlike TensorFlow's, so images from 75 px on work.

    Args:
        in_channels: Channels of the map.
        num_classes: Number of classes.
        norm_cfg: mmcv's config of the normalisation. Defaults to batch norm.
        fc_norm: Whether to normalise the 5x5 convolution, which the paper calls the fully connected layer; without, it
            has a bias. Defaults to True.

    The initial standard deviations 0.1, 0.01 and 0.001 are TensorFlow's. torchvision and timm intend the same, but
    their 0.01 never reaches the convolution.
    """

    kernel_size = 5

    def __init__(
        self, in_channels: int, num_classes: int, norm_cfg: dict[str, Any] = BATCH_NORM, fc_norm: bool = True
    ) -> None:
        super().__init__(init_cfg=truncated_normal('Linear', 0.001))
        self.conv0 = BasicConv2d(in_channels, 128, 1, norm_cfg=norm_cfg)
        self.conv1 = BasicConv2d(128, 768, self.kernel_size, norm_cfg=norm_cfg if fc_norm else None, std=0.01)
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to logits of shape (N, num_classes)."""
        # 768 x 17 x 17
        height, width = x.shape[-2:]
        x = functional.avg_pool2d(x, (min(height, self.kernel_size), min(width, self.kernel_size)), stride=3)
        # 768 x 5 x 5
        x = self.conv0(x)
        # 128 x 5 x 5
        x = self.conv1(self._padded_to_kernel(x))
        # 768 x 1 x 1
        x = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.fc(x)

    def _padded_to_kernel(self, x: Tensor) -> Tensor:
        # On zeros, the border of the kernel adds nothing, as if the kernel were smaller.
        missing_rows = max(self.kernel_size - x.shape[-2], 0)
        missing_columns = max(self.kernel_size - x.shape[-1], 0)
        left, top = missing_columns // 2, missing_rows // 2
        return functional.pad(x, (left, missing_columns - left, top, missing_rows - top))


SEVERAL_LABELS = (
    "for several labels on one image use model.head=dict(type='MultiLabelLinearClsHead', num_classes=..., "
    'in_channels=2048); docs/data.md has a config'
)


@MODELS.register_module()
class InceptionHead(LinearClsHead):
    """Dropout and a linear classifier on the pooled features, with an optional auxiliary classifier for training.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the pooled features. Defaults to 2048.
        dropout: Probability that a feature is dropped in training. Defaults to 0.2 (TensorFlow keeps 0.8;
            torchvision drops 0.5).
        with_aux: Whether to train the auxiliary classifier, on the second-to-last map; the backbone needs
            ``out_indices=(3, 4)``. It does not run in evaluation. Defaults to False.
        aux_in_channels: Channels of that map. Defaults to 768.
        aux_weight: Weight of the auxiliary loss. Defaults to 0.4 (TensorFlow
            ``research/inception/inception/inception_model.py``).
        aux_fc_norm: Whether to normalise the last hidden layer of the auxiliary classifier, its 5x5 convolution, which
            is the paper's "BN-auxiliary"; without, it has a bias. Defaults to True.
        norm_cfg: mmcv's config of the auxiliary classifier's normalisation. Defaults to batch norm.
        loss: mmpretrain's config of the loss of both classifiers. Defaults to cross entropy.
        topk: Ranks k of the top-k accuracy to log in training; those above ``num_classes`` are clamped to it. Defaults
            to (1,).
        cal_acc: Whether to log accuracy in training. Mixed targets (mixup) have none. Defaults to True.
        init_cfg: mmengine's config of the initialisation. Defaults to a normal distribution of standard deviation 0.01
            truncated at 0.02 for the main classifier (TensorFlow's ``ops.fc``); the auxiliary classifier has its own.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        dropout: float = 0.2,
        with_aux: bool = False,
        aux_in_channels: int = 768,
        aux_weight: float = 0.4,
        aux_fc_norm: bool = True,
        norm_cfg: dict[str, Any] = BATCH_NORM,
        loss: dict[str, Any] | nn.Module = dict(type='CrossEntropyLoss'),  # noqa: B006 - mmpretrain copies it
        topk: int | Sequence[int] = (1,),
        cal_acc: bool = True,
        init_cfg: dict[str, Any] | None = truncated_normal('Linear', 0.01),  # noqa: B008 - BaseModule copies it
    ) -> None:
        super().__init__(num_classes, in_channels, init_cfg=init_cfg, loss=loss, topk=topk, cal_acc=cal_acc)
        self.topk = clamp_topk(topk, num_classes)
        self.dropout = nn.Dropout(dropout)
        self.aux_in_channels = aux_in_channels
        self.aux_weight = aux_weight
        self.AuxLogits = InceptionAux(aux_in_channels, num_classes, norm_cfg, aux_fc_norm) if with_aux else None

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Return the pooled features, (N, in_channels), after dropout."""
        return self.dropout(feats[-1])

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Return the logits, (N, num_classes).

        Mixed precision computes them in the parameters' data type: the 8 significant bits of bfloat16 would tie close
        classes and change scores by half a percent. The layer does a five-thousandth of the network's work.
        """
        features = self.pre_logits(feats)
        if not torch.is_autocast_enabled(features.device.type):
            return self.fc(features)
        with torch.autocast(features.device.type, enabled=False):
            return self.fc(features.to(self.fc.weight.dtype))

    def loss(self, feats: Sequence[Tensor], data_samples: list[DataSample], **kwargs: Any) -> dict[str, Any]:
        """Compute the losses and, unless targets are mixed, the accuracy.

        Args:
            feats: The outputs of :class:`InceptionNeck`.
            data_samples: The annotations, with ``gt_label`` or, after mixup, ``gt_score``.
            **kwargs: Passed on to the loss.

        Returns:
            ``loss``; with the auxiliary classifier ``loss_aux``, weighted; ``accuracy_top-k`` for each of ``topk``.

        Raises:
            InputError: If an image has no label or several, or the auxiliary classifier is on and the backbone returns
                no map for it.
        """
        if 'gt_score' in data_samples[0]:
            target = torch.stack([sample.gt_score for sample in data_samples])
        else:
            _refuse_several_labels(data_samples)
            target = torch.cat([sample.gt_label for sample in data_samples])
        logits = self(feats)
        losses = dict(loss=self.loss_module(logits, target, avg_factor=len(target), **kwargs))
        if self.AuxLogits is not None:
            aux_logits = self.AuxLogits(self._aux_map(feats))
            losses['loss_aux'] = self.aux_weight * self.loss_module(
                aux_logits, target, avg_factor=len(target), **kwargs
            )
        if self.cal_acc and target.ndim == 1:
            # mmpretrain's default threshold of 0 would ignore negative logits.
            accuracies = Accuracy.calculate(logits, target, topk=self.topk, thrs=(None,))
            losses.update({f'accuracy_top-{k}': accuracy for k, accuracy in zip(self.topk, accuracies)})
        return losses

    def predict(self, feats: Sequence[Tensor], data_samples: list[DataSample | None] | None = None) -> list[DataSample]:
        """Return the samples, each with the softmax as ``pred_score`` and the best class as ``pred_label``.

        Args:
            feats: The outputs of :class:`InceptionNeck`.
            data_samples: The annotations, which may lack labels. Defaults to None: new ones.

        Raises:
            InputError: If an image has several labels, or an empty list of them.
        """
        _refuse_several_labels(data_samples or ())
        return super().predict(feats, data_samples)

    def switch_to_deploy(self) -> None:
        """Remove the auxiliary classifier, which does not run in evaluation; a second call does nothing."""
        self.AuxLogits = None

    def _aux_map(self, feats: Sequence[Tensor]) -> Tensor:
        expected = f'auxiliary classifier: expected a map of {self.aux_in_channels} channels before the last output'
        remedy = 'set backbone.out_indices=(3, 4) and neck InceptionNeck, or head.with_aux=False'
        if len(feats) < 2 or feats[-2].ndim != 4:
            raise InputError(f'{expected}, got none; {remedy}')
        if feats[-2].shape[1] != self.aux_in_channels:
            raise InputError(f'{expected}, got {feats[-2].shape[1]} channels; {remedy}')
        return feats[-2]


def _refuse_several_labels(data_samples: Iterable[DataSample | None]) -> None:
    for sample in data_samples:
        if sample is not None and 'gt_label' in sample and sample.gt_label.numel() != 1:
            raise InputError(
                f'InceptionHead: expected one label for each image, got {sample.gt_label.tolist()}; {SEVERAL_LABELS}'
            )
