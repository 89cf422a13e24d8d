"""Our models in mmpretrain's list of models by name."""

from __future__ import annotations

from pathlib import Path

from mmpretrain.apis.model import ModelHub

_MIM = Path(__file__).parent / '.mim'


def register_models() -> None:
    """Make ``mmpretrain.list_models``, ``get_model``, ``inference_model`` and ``FeatureExtractor`` know our configs."""
    # Where a checkout cannot hold links (Windows without developer mode), names are not known, but all else works.
    if (_MIM / 'configs').is_dir():
        ModelHub.register_model_index(_MIM / 'model-index.yml', config_prefix=_MIM)
