"""What the modules do to a state dict before they load it, whichever function of mmengine, mmpretrain or torch asks."""

from __future__ import annotations

from typing import Any

from mmengine.logging import print_log
from torch import Tensor

from mmpretrain_inception.weights.convert import to_ours
from mmpretrain_inception.weights.fit import compare, cut_background, refuse_mismatch
from mmpretrain_inception.weights.names import FINAL_LAYERS

StateDict = dict[str, Any]


def rename_for_classifier(state_dict: StateDict, prefix: str, backbone: dict[str, Tensor]) -> None:
    """Give the parameters under ``prefix`` our names, in place, and check that they fill the backbone.

    Args:
        state_dict: In any publisher's names.
        prefix: Of the classifier in the state dict; '' where it stands alone.
        backbone: The backbone's own state dict.

    Raises:
        InputError: If the names are not Inception V3's or leave a part of the backbone at its initialisation.
    """
    own = {name: state_dict.pop(name) for name in list(state_dict) if name.startswith(prefix)}
    tensors = to_ours({name.removeprefix(prefix): value for name, value in own.items()}).tensors
    _check_backbone({name.removeprefix('backbone.'): value for name, value in tensors.items()}, backbone)
    state_dict.update({f'{prefix}{name}': value for name, value in tensors.items()})


def rename_for_backbone(state_dict: StateDict, backbone: dict[str, Tensor]) -> None:
    """Give the parameters the names of a bare backbone, in place, and leave out the classifiers.

    Args:
        state_dict: In any publisher's names.
        backbone: The backbone's own state dict.

    Raises:
        InputError: As for :func:`rename_for_classifier`.
    """
    tensors = to_ours(state_dict).tensors
    state_dict.clear()
    state_dict.update({name.removeprefix('backbone.'): value for name, value in tensors.items() if 'head.' not in name})
    _check_backbone(state_dict, backbone)


def fit_classes(state_dict: StateDict, prefix: str, head: dict[str, Tensor]) -> None:
    """Fit the classifiers under ``prefix`` to those of a head, in place.

    The background class of 1001 is cut for a head of 1000. A final layer of other classes is replaced by the head's
    own, with one line in the log. An auxiliary classifier that the head lacks is left out.

    Args:
        state_dict: Under our names.
        prefix: Of the head in the state dict.
        head: The head's own state dict.
    """
    layers = [layer.removeprefix('head.') for layer in FINAL_LAYERS if f'{layer}bias'.removeprefix('head.') in head]
    cut_background(state_dict, [f'{prefix}{layer}' for layer in layers], len(head['fc.bias']))
    others = [layer for layer in layers if _differs(state_dict.get(f'{prefix}{layer}bias'), head[f'{layer}bias'])]
    for layer in others:
        state_dict.update({f'{prefix}{layer}{part}': head[f'{layer}{part}'] for part in ('weight', 'bias')})
    if others:
        print_log(
            f'the weights are of other classes than the {len(head["fc.bias"])} of the model: '
            f'{", ".join(others)} left at the initialisation',
            logger='current',
        )
    if len(layers) < len(FINAL_LAYERS):
        for name in [name for name in state_dict if name.startswith(f'{prefix}AuxLogits.')]:
            del state_dict[name]


def _differs(tensor: Tensor | None, own: Tensor) -> bool:
    return tensor is not None and tensor.shape != own.shape


def _check_backbone(tensors: StateDict, backbone: dict[str, Tensor]) -> None:
    mismatch = compare(tensors, backbone)
    refuse_mismatch('the state dict', mismatch._replace(unexpected=()))
