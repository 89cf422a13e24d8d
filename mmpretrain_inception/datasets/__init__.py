"""Datasets and transforms that mmpretrain lacks."""

from mmpretrain_inception.datasets.csv_images import CsvImages
from mmpretrain_inception.datasets.digits import Digits
from mmpretrain_inception.datasets.file_list_dataset import FileListDataset, ImageNetFiles, list_classes
from mmpretrain_inception.datasets.image_folder import ImageFolder
from mmpretrain_inception.datasets.image_kinds import is_image
from mmpretrain_inception.datasets.imagenet_subset import ImageNetSubset
from mmpretrain_inception.datasets.stratified_folds import StratifiedKFoldDataset
from mmpretrain_inception.datasets.transforms import (
    LoadImage,
    TensorFlowCentralCrop,
    TensorFlowColorDistortion,
    TensorFlowResize,
    load_image,
)

__all__ = [
    'CsvImages',
    'Digits',
    'FileListDataset',
    'ImageFolder',
    'ImageNetFiles',
    'ImageNetSubset',
    'LoadImage',
    'StratifiedKFoldDataset',
    'TensorFlowCentralCrop',
    'TensorFlowColorDistortion',
    'TensorFlowResize',
    'is_image',
    'list_classes',
    'load_image',
]
