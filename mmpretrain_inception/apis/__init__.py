"""What Python users and the tools call: options in, results out."""

from mmpretrain_inception.apis.complexity import measure_complexity
from mmpretrain_inception.apis.data import dataset_sources
from mmpretrain_inception.apis.export import export
from mmpretrain_inception.apis.find_lr import find_lr
from mmpretrain_inception.apis.predict import predict
from mmpretrain_inception.apis.print_config import differences, final_config
from mmpretrain_inception.apis.run import evaluate, train
from mmpretrain_inception.configuring.options import (
    ConfigOptions,
    DataOptions,
    ExportOptions,
    PredictOptions,
    TestOptions,
    TrainOptions,
)

__all__ = [
    'ConfigOptions',
    'DataOptions',
    'ExportOptions',
    'PredictOptions',
    'TestOptions',
    'TrainOptions',
    'dataset_sources',
    'differences',
    'evaluate',
    'export',
    'final_config',
    'find_lr',
    'measure_complexity',
    'predict',
    'train',
]
