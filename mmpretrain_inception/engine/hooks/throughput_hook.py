"""Images per second in the training log."""

from __future__ import annotations

from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpretrain_inception.engine.batches import count_images
from mmpretrain_inception.registry import HOOKS


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Log ``images_per_s``: images of all processes per second of an iteration, including data loading.

    The log shows the value of the last iteration, or a mean if ``log_processor.custom_cfg`` asks for one.
    """

    # After IterTimerHook, which measures the iteration, and before LoggerHook.
    priority = 'NORMAL'

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Log the images/s of this iteration."""
        images = count_images(data_batch) * get_world_size()
        if images and 'train/time' in runner.message_hub.log_scalars:
            seconds = runner.message_hub.get_scalar('train/time').current()
            runner.message_hub.update_scalar('train/images_per_s', images / seconds)
