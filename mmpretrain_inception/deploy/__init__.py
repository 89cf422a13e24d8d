"""Folded and exported forms of a model, and the runtimes that run them."""

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.export import export_model
from mmpretrain_inception.deploy.runtimes import LoadedNetwork, load_runtime, read_contract
from mmpretrain_inception.deploy.switch import switch_to_deploy

__all__ = ['Contract', 'LoadedNetwork', 'export_model', 'load_runtime', 'read_contract', 'switch_to_deploy']
