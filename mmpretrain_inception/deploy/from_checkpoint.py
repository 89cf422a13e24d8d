"""The contract of a checkpoint."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmpretrain_inception.deploy.config_text import read_config_text
from mmpretrain_inception.deploy.contract import KEY, Contract
from mmpretrain_inception.deploy.from_config import checkpoint_contract, foreign_types
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import Opened, class_names


def contract_in(opened: Opened) -> tuple[Contract | None, str]:
    """Return what a checkpoint says of its use, without executing anything in it.

    Earlier versions of this package, and other packages of OpenMMLab, write only the text of the config. Then the
    contract is derived from that.

    Args:
        opened: The checkpoint.

    Returns:
        The contract, and ''. None where it says nothing, and why the text of its config does not do.

    Raises:
        InputError: If what it says is damaged.
    """
    document = opened.meta.get(KEY)
    if document is not None:
        said = Contract.from_json(document if isinstance(document, str) else '', opened.origin)
        if said.network is None:
            raise InputError(f'{opened.origin}: expected the contract of a checkpoint, got that of an exported file')
        return said, ''
    text = opened.meta.get('cfg')
    if not isinstance(text, str):
        return None, ''
    try:
        cfg = read_config_text(text)
        foreign = foreign_types(cfg)
        return (None, foreign[0]) if foreign else derived_contract(cfg, class_names(opened.meta))
    # A text from a stranger may hold anything in the place of a setting.
    except (AttributeError, LookupError, RecursionError, SyntaxError, TypeError, ValueError) as error:
        return None, f'the text of its config: {error}'


def derived_contract(cfg: Config, classes: tuple[str, ...]) -> tuple[Contract | None, str]:
    """Do as :func:`~mmpretrain_inception.deploy.from_config.checkpoint_contract` in the scope of mmpretrain."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return checkpoint_contract(cfg, classes)
