"""Datasets and transforms that mmpretrain lacks."""

from mmpretrain_inception.datasets.digits import Digits
from mmpretrain_inception.datasets.image_folder import ImageFolder, list_classes
from mmpretrain_inception.datasets.tensorflow_transforms import TensorFlowCentralCrop, TensorFlowResize

__all__ = ['Digits', 'ImageFolder', 'TensorFlowCentralCrop', 'TensorFlowResize', 'list_classes']
