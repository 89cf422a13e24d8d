"""Keras's Inception V3 with random weights, and files of it in each of Keras's formats."""

import os
from contextlib import contextmanager

import pytest
import torch

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

SUFFIXES = ('.h5', ' weights only.h5', '.weights.h5', '.keras')


def import_keras():
    pytest.importorskip('tensorflow')
    return pytest.importorskip('keras')


@contextmanager
def numbers_of(dtype):
    """Let Keras construct and compute in a type of numbers, and in float32 again afterwards."""
    keras = import_keras()
    _set_dtype(keras, dtype)
    try:
        yield keras
    finally:
        _set_dtype(keras, 'float32')


def _set_dtype(keras, name):
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)


def randomise(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for layer in model.layers:
        layer.set_weights([drawn(weight, generator).numpy() for weight in layer.weights])
    return model


def drawn(weight, generator):
    shape = tuple(weight.shape)
    values = torch.empty(shape, dtype=getattr(torch, weight.dtype))
    if weight.name == 'moving_variance':
        return values.uniform_(0.5, 1.5, generator=generator)
    if len(shape) == 1:
        return values.normal_(std=0.1, generator=generator)
    return values.normal_(std=(2 / values[..., 0].numel()) ** 0.5, generator=generator)


def save_as(model, folder, suffixes=SUFFIXES, name='model'):
    """Save a model with each of the suffixes; Keras 2 wrote weights alone as they stand in a whole model."""
    h5py = pytest.importorskip('h5py')
    for suffix in suffixes:
        path = folder / f'{name}{suffix}'
        if suffix == ' weights only.h5':
            with h5py.File(folder / f'{name}.h5') as whole, h5py.File(path, 'w') as weights:
                for layer in whole['model_weights'].values():
                    whole.copy(layer, weights)
        else:
            (model.save_weights if suffix == '.weights.h5' else model.save)(path)
