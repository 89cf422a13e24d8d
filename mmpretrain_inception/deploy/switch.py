"""Switch a model from its training form to its deploy form, which only predicts."""

from __future__ import annotations

from torch import nn


def switch_to_deploy(model: nn.Module) -> nn.Module:
    """Switch every part of a model that has one to its deploy form, in place, and set evaluation mode.

    The deploy form is mmpretrain's convention: a method ``switch_to_deploy`` that folds what only training needs. In
    our classifiers, batch norm is folded into the convolutions and the auxiliary classifier is removed; predictions are
    the same up to rounding. Parts without a deploy form are not changed.

    Args:
        model: A classifier, ours or mmpretrain's, an ensemble, or a model inside test-time augmentation or data
            parallelism. It cannot be trained afterwards.

    Returns:
        ``model`` itself.
    """
    # mmpretrain's `eval()` may return None, and modules that a part creates are not in evaluation mode.
    model.eval()
    for part in deployable_parts(model):
        part.switch_to_deploy()  # type: ignore[operator]
    model.eval()
    return model


def deployable_parts(model: nn.Module) -> list[nn.Module]:
    """Return the outermost modules that have a deploy form and are not yet in it.

    mmpretrain's backbones switch their own blocks, some of which fail on a second call.
    """
    if hasattr(model, 'switch_to_deploy'):
        return [] if getattr(model, 'deploy', False) else [model]
    return [part for child in model.children() for part in deployable_parts(child)]
