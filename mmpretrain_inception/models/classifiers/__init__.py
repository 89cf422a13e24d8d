"""Whole classifiers."""

from mmpretrain_inception.models.classifiers.ensemble import EnsembleClassifier

__all__ = [
    'EnsembleClassifier',
]
