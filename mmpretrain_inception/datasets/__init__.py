"""Datasets and transforms that mmpretrain lacks."""

from mmpretrain_inception.datasets.color_distortion import TensorFlowColorDistortion
from mmpretrain_inception.datasets.digits import Digits
from mmpretrain_inception.datasets.image_folder import ImageFolder, list_classes
from mmpretrain_inception.datasets.imagenet_subset import ImageNetSubset
from mmpretrain_inception.datasets.multi_crop import Crop, MultiCrop
from mmpretrain_inception.datasets.tensorflow_transforms import TensorFlowCentralCrop, TensorFlowResize

__all__ = [
    'Crop',
    'Digits',
    'ImageFolder',
    'ImageNetSubset',
    'MultiCrop',
    'TensorFlowCentralCrop',
    'TensorFlowColorDistortion',
    'TensorFlowResize',
    'list_classes',
]
