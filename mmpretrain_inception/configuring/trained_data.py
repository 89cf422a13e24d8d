"""What checkpoints and exported files say about their training: data, labels, preprocessing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.from_checkpoint import contract_in
from mmpretrain_inception.deploy.runtimes import read_contract
from mmpretrain_inception.deploy.table import is_exported
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some
from mmpretrain_inception.weights import class_names
from mmpretrain_inception.weights.files.opener import Opened, open_weights
from mmpretrain_inception.weights.metafile import is_published

# By what turns logits into scores.
_LABELS = {'softmax': 'one label', 'sigmoid': 'several labels'}


def classes_of_checkpoints(checkpoints: Sequence[str]) -> tuple[str, ...]:
    """Return the class names that checkpoints or exported files carry; () if none does.

    A file that cannot be read counts as one without names: loading its weights reports what is wrong with it.

    Args:
        checkpoints: Files or addresses.

    Raises:
        InputError: If two of them have different classes.
    """
    named = {checkpoint: names for checkpoint in checkpoints if (names := _classes_of(checkpoint))}
    for checkpoint, names in named.items():
        first = next(iter(named))
        if names != named[first]:
            raise InputError(
                f'{checkpoint}: expected the classes of {first}, {list_some(named[first])}, got {list_some(names)}'
            )
    return next(iter(named.values()), ())


def shares_of_checkpoints(checkpoints: Sequence[str]) -> set[float]:
    """Return the shares for validation that the images were divided by in training, as far as the files say.

    Args:
        checkpoints: Checkpoints or exported files, or their addresses.
    """
    shares = map(_share_of, checkpoints)
    return {share for share in shares if isinstance(share, float)}


def contract_of_source(source: str) -> Contract | None:
    """Return what a checkpoint says of its classifier and of the preparation of its images.

    Args:
        source: A checkpoint or its address. Published weights say nothing themselves.

    Returns:
        The contract, for older checkpoints from the text of their config. None where the file does not say it or
        cannot be read: loading its weights reports what is wrong with it.
    """
    if is_exported(source) or is_published(source):
        return None
    opened = _opened(source)
    try:
        return None if opened is None else contract_in(opened)[0]
    except InputError:
        return None


def check_labels(checkpoints: Sequence[str], activation: str | None, what: str) -> None:
    """Refuse a checkpoint for one label an image where a run has several, and the reverse.

    Both heads have the same weights, so that they would load, and the scores mean nothing.

    Args:
        checkpoints: Files or addresses.
        activation: What turns the logits of the run's head into scores. None: unknown.
        what: Where that head is from, for messages.

    Raises:
        InputError: If so.
    """
    for checkpoint in checkpoints if activation in _LABELS else ():
        contract = contract_of_source(checkpoint)
        if contract is not None and contract.activation not in (None, activation):
            raise InputError(
                f'{checkpoint}: was trained for {_LABELS[contract.activation]} an image, but {what} for '
                f'{_LABELS[str(activation)]}\nuse the config and the kind of data of its training'
            )


def _share_of(checkpoint: str) -> Any:
    if is_exported(checkpoint):
        return read_contract(checkpoint).val_share
    opened = _opened(checkpoint)
    return None if opened is None else (opened.meta.get('dataset_meta') or {}).get('val_share')


def _classes_of(checkpoint: str) -> tuple[str, ...]:
    if is_exported(checkpoint):
        return tuple(read_contract(checkpoint).classes or ())
    opened = _opened(checkpoint)
    if opened is None:
        return ()
    names = class_names(opened.meta)
    # A model is built for them before its weights are compared, so that their number has to be one of the file's.
    return names if any(tensor.shape[:1] == (len(names),) for tensor in opened.tensors.values()) else ()


def _opened(checkpoint: str) -> Opened | None:
    """Open a checkpoint; None if it cannot be read, which loading its weights reports."""
    try:
        # Kept for the Runner, which loads the same bytes.
        return open_weights(checkpoint, keep=True)
    except InputError:
        return None
