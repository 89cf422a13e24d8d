"""What the modules do to a state dict before they load it, whichever function of mmengine, mmpretrain or torch asks."""

from __future__ import annotations

from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from mmpretrain_inception.weights.convert import Weights, to_ours
from mmpretrain_inception.weights.families.inception_v3.names import FINAL_LAYERS
from mmpretrain_inception.weights.fit import check_network, cut_background, fit_to_model

StateDict = dict[str, Any]


def rename_for_classifier(state_dict: StateDict, prefix: str, backbone: nn.Module) -> None:
    """Give the parameters under ``prefix`` our names, in place, and check that they fill the backbone.

    Args:
        state_dict: In any publisher's names.
        prefix: Of the classifier in the state dict; '' where it stands alone.
        backbone: The classifier's backbone.

    Raises:
        InputError: If the names are not Inception V3's or leave a part of the backbone at its initialisation.
    """
    own = {name: state_dict.pop(name) for name in list(state_dict) if name.startswith(prefix)}
    weights = to_ours({name.removeprefix(prefix): value for name, value in own.items()})
    ours = _fitted(weights, backbone)
    renamed = {f'backbone.{name}': value for name, value in ours.items()}
    renamed |= {name: value for name, value in weights.tensors.items() if not name.startswith('backbone.')}
    state_dict.update({f'{prefix}{name}': value for name, value in renamed.items()})


def rename_for_backbone(state_dict: StateDict, backbone: nn.Module) -> None:
    """Give the parameters the names of a bare backbone, in place, and leave out all others.

    Args:
        state_dict: In any publisher's names.
        backbone: The backbone.

    Raises:
        InputError: As for :func:`rename_for_classifier`.
    """
    ours = _fitted(to_ours(state_dict), backbone)
    state_dict.clear()
    state_dict.update(ours)


def _fitted(weights: Weights, backbone: nn.Module) -> dict[str, Tensor]:
    """Return the backbone's part of the weights; what heads there are is not the backbone's concern."""
    check_network(weights, backbone)
    part = {name: value for name, value in weights.tensors.items() if name.startswith('backbone.')}
    return fit_to_model(weights._replace(tensors=part), backbone.state_dict()).tensors


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
