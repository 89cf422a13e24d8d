"""A check that the classifier has an output for every label."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.datasets import BaseDataset
from mmpretrain.datasets.multi_label import MultiLabelDataset
from torch.utils.data import DataLoader

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models import InceptionHead
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.modules import unwrap


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Stop before the first batch when a dataset holds labels beyond ``head.num_classes``.

    Without it the loss fails with an index error on a CPU and with an assertion of the device on a GPU.

    Raises:
        ValueError: If ``num_classes`` is too small.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the training and the validation data."""
        self._check(runner, runner.train_dataloader)
        if runner.val_loop is not None:
            self._check(runner, runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Check the test data."""
        self._check(runner, runner.test_dataloader)

    @staticmethod
    def _check(runner: Runner, loader: DataLoader) -> None:
        head = getattr(unwrap(runner.model), 'head', None)
        dataset = loader.dataset
        if not isinstance(head, InceptionHead) or not isinstance(dataset, BaseDataset):
            return
        if isinstance(dataset, MultiLabelDataset) or 'gt_label' not in dataset.get_data_info(0):
            return
        needed = int(dataset.get_gt_labels().max()) + 1
        if needed > head.num_classes:
            raise InputError(
                f'model.head.num_classes is {head.num_classes}, but {dataset.img_prefix} holds labels up to '
                f'{needed - 1}; set model.head.num_classes={needed} or more'
            )
