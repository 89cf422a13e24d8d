"""What publishers call the parameters of Inception V3, how to read their files safely, and how to write ours.

``load_weights(path)`` reads any published file and gives its parameters our names; ``fit_to_model(weights, model)``
checks that they fill a model and returns the state dict to load.
"""

from mmpretrain_inception.weights.convert import Weights, from_ours, load_weights, to_ours
from mmpretrain_inception.weights.families.inception_v3.fold import fold_input_range
from mmpretrain_inception.weights.families.inception_v3.schemes import SCHEMES, Scheme, detect_scheme
from mmpretrain_inception.weights.files.opener import Opened, class_names, open_weights
from mmpretrain_inception.weights.files.write import write_weights
from mmpretrain_inception.weights.fit import Fit, Mismatch, compare, fit_to_model, refuse_mismatch
from mmpretrain_inception.weights.whole import check_whole

__all__ = [
    'SCHEMES',
    'Fit',
    'Mismatch',
    'Opened',
    'Scheme',
    'Weights',
    'check_whole',
    'class_names',
    'compare',
    'detect_scheme',
    'fit_to_model',
    'fold_input_range',
    'from_ours',
    'load_weights',
    'open_weights',
    'refuse_mismatch',
    'to_ours',
    'write_weights',
]
