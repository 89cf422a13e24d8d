"""Datasets and transforms that mmpretrain lacks."""

from mmpretrain_inception.datasets.color_distortion import TensorFlowColorDistortion
from mmpretrain_inception.datasets.digits import Digits
from mmpretrain_inception.datasets.file_list_dataset import FileListDataset, ImageNetFiles, list_classes
from mmpretrain_inception.datasets.image_folder import ImageFolder
from mmpretrain_inception.datasets.imagenet_subset import ImageNetSubset
from mmpretrain_inception.datasets.load_image import LoadImage, load_image
from mmpretrain_inception.datasets.multi_crop import Crop, MultiCrop
from mmpretrain_inception.datasets.tensorflow_transforms import TensorFlowCentralCrop, TensorFlowResize

__all__ = [
    'Crop',
    'Digits',
    'FileListDataset',
    'ImageFolder',
    'ImageNetFiles',
    'ImageNetSubset',
    'LoadImage',
    'MultiCrop',
    'TensorFlowCentralCrop',
    'TensorFlowColorDistortion',
    'TensorFlowResize',
    'list_classes',
    'load_image',
]
