"""Datasets that mmpretrain lacks."""

from mmpretrain_inception.datasets.digits import Digits
from mmpretrain_inception.datasets.image_folder import ImageFolder, list_classes

__all__ = ['Digits', 'ImageFolder', 'list_classes']
