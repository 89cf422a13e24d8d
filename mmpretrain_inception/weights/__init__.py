"""Weights of every publisher: open their files, rename their parameters, and load them into a model.

``load(source, model)`` does all of it: it opens a file, renames its parameters and checks that they fill the model.
``open_weights`` only reads, ``to_ours`` and ``from_ours`` only rename, ``write_weights`` writes. This package imports
no model.
"""

from mmpretrain_inception.weights.compare import Mismatch, compare, refuse_mismatch
from mmpretrain_inception.weights.families.family import Scheme, Weights, networks_in
from mmpretrain_inception.weights.families.inception_v3.fold import fold_input_range
from mmpretrain_inception.weights.families.inception_v3.schemes import SCHEMES
from mmpretrain_inception.weights.files.opener import Opened, class_names, open_weights
from mmpretrain_inception.weights.files.write import write_weights
from mmpretrain_inception.weights.load import Loaded, load, load_into
from mmpretrain_inception.weights.rename import detect_scheme, from_ours, to_ours

__all__ = [
    'SCHEMES',
    'Loaded',
    'Mismatch',
    'Opened',
    'Scheme',
    'Weights',
    'class_names',
    'compare',
    'detect_scheme',
    'fold_input_range',
    'from_ours',
    'load',
    'load_into',
    'networks_in',
    'open_weights',
    'refuse_mismatch',
    'to_ours',
    'write_weights',
]
