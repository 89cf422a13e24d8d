"""Getting at the model inside its wrappers."""

from __future__ import annotations

from typing import cast

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrap_parallel(model: nn.Module) -> nn.Module:
    """Return the model inside data parallelism, with test-time augmentation if it has any.

    Args:
        model: The model of a Runner.
    """
    return cast('nn.Module', model.module) if is_model_wrapper(model) else model


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside data parallelism and test-time augmentation.

    Args:
        model: The model of a Runner.
    """
    model = unwrap_parallel(model)
    return cast('nn.Module', model.module) if isinstance(model, BaseTTAModel) else model
