"""Transforms of images."""

from mmpretrain_inception.datasets.transforms.color_distortion import TensorFlowColorDistortion
from mmpretrain_inception.datasets.transforms.load_image import LoadImage, load_image
from mmpretrain_inception.datasets.transforms.tensorflow_transforms import TensorFlowCentralCrop, TensorFlowResize

__all__ = [
    'LoadImage',
    'TensorFlowCentralCrop',
    'TensorFlowColorDistortion',
    'TensorFlowResize',
    'load_image',
]
