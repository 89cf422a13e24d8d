"""From the form in which a model is trained to the one in which it only predicts."""

from __future__ import annotations

from torch import nn


def switch_to_deploy(model: nn.Module) -> nn.Module:
    """Put a model into evaluation mode and every part of it that has one into its deploy form, in place.

    The deploy form is mmpretrain's convention: a method ``switch_to_deploy`` that folds what only training needs. For
    our classifiers batch norm goes into the convolutions and the auxiliary classifier goes away; predictions stay the
    same up to rounding. A part that has no such form stays as it is.

    Args:
        model: A classifier, ours or mmpretrain's; an ensemble, or what test-time augmentation or data parallelism
            wraps. It cannot be trained on from there.

    Returns:
        ``model`` itself.
    """
    # mmpretrain's `eval()` may return None; and what a part makes anew is not in evaluation mode.
    model.eval()
    for part in deployable_parts(model):
        part.switch_to_deploy()  # type: ignore[operator]
    model.eval()
    return model


def deployable_parts(model: nn.Module) -> list[nn.Module]:
    """Return the outermost modules that have a deploy form and are not in it.

    A backbone of mmpretrain sees to its own blocks, some of which take no second call.
    """
    if hasattr(model, 'switch_to_deploy'):
        return [] if getattr(model, 'deploy', False) else [model]
    return [part for child in model.children() for part in deployable_parts(child)]
