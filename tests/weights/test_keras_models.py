"""Models that people train with Keras from its Inception V3, as the tutorials make them."""

import re

import numpy as np
import pytest
import torch
from keras_models import SUFFIXES, import_keras, numbers_of, randomise, save_as

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import load, load_into
from mmpretrain_inception.weights.families.inception_v3.names import CONVOLUTIONS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('keras')]

SIZE, CLASSES = 75, 5


def sequential(keras, base, images):
    layers = keras.layers
    parts = [layers.Rescaling(1 / 127.5, -1), base, layers.GlobalAveragePooling2D(), layers.Dropout(0.2)]
    return keras.Sequential([images, *parts, layers.Dense(CLASSES)])


def functional(keras, base, images):
    layers = keras.layers
    augmented = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)])(images)
    features = layers.GlobalAveragePooling2D()(base(layers.Rescaling(1 / 127.5, -1)(augmented), training=False))
    return keras.Model(images, layers.Dense(CLASSES, name='prediction')(layers.Dropout(0.2)(features)))


def head_in_a_model(keras, base, images):
    head = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(CLASSES, name='out')])
    return keras.Sequential([images, keras.layers.Rescaling(1 / 127.5, -1), base, head])


def flat(keras, base, images):
    features = keras.layers.GlobalAveragePooling2D()(base.output)
    return keras.Model(base.input, keras.layers.Dense(CLASSES, name='my_classifier')(features))


def trained(keras, base, images):
    """With an optimizer, whose moments have the names of the weights."""
    model = sequential(keras, base, images)
    model.compile('adam', 'mse')
    model.optimizer.build(model.trainable_variables)
    return model


def colours_first(keras, base, images):
    return sequential(keras, keras.Sequential([images, keras.layers.Conv2D(3, 1), base]), images)


def hidden_layers(keras, base, images):
    layers = keras.layers
    features = layers.BatchNormalization(name='last')(layers.GlobalAveragePooling2D()(base.output))
    return keras.Model(base.input, layers.Dense(CLASSES)(layers.Dense(16)(features)))


def max_pooling(keras, base, images):
    return keras.Sequential([images, base, keras.layers.GlobalMaxPooling2D(), keras.layers.Dense(CLASSES)])


def normalisation(keras, base, images):
    return keras.Sequential([images, keras.layers.Normalization(), base, *sequential(keras, base, images).layers[2:]])


def two_networks(keras, base, images):
    other = keras.models.clone_model(base)
    other.name = 'other'
    return keras.Model(images, keras.layers.Concatenate()([base(images), other(images)]))


# The files in which each model is saved; each has 90 MB.
WHOLE = {
    sequential: SUFFIXES,
    functional: SUFFIXES,
    head_in_a_model: ('.keras', '.h5'),
    flat: ('.weights.h5', '.h5'),
    trained: ('.h5', '.keras'),
}
WITH_OTHER_LAYERS = {
    colours_first: ('.keras', '.h5'),
    hidden_layers: ('.weights.h5',),
    max_pooling: (' weights only.h5', '.keras'),
    normalisation: ('.h5',),
}


def files_of(models):
    """Return each model with the first of its files, and the others for `make stress`; the first model with all."""
    rows = [(make, suffix) for make, suffixes in models.items() for suffix in suffixes]
    return [
        pytest.param(make, suffix, marks=() if make is sequential or suffix == models[make][0] else pytest.mark.stress)
        for make, suffix in rows
    ]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('keras')


@pytest.fixture(scope='module')
def base(folder):
    """The network that all models are made around."""
    network = import_keras().applications.InceptionV3
    return randomise(network(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3)))


@pytest.fixture(scope='module')
def save(folder, base):
    """Save a model as a file, once; return the file and the model."""
    models = {}

    def saved(make, suffix):
        if make not in models:
            keras = import_keras()
            models[make] = make(keras, base, keras.Input((SIZE, SIZE, 3)))
        # The file with weights only is copied from the whole one.
        needed = ('.h5', suffix) if suffix.endswith('only.h5') else (suffix,)
        missing = [one for one in needed if not (folder / f'{make.__name__}{one}').exists()]
        save_as(models[make], folder, missing, make.__name__)
        return folder / f'{make.__name__}{suffix}', models[make]

    return saved


@pytest.fixture(scope='module')
def model(make_classifier):
    return make_classifier(num_classes=CLASSES, count_include_pad=False)


@pytest.fixture(scope='module')
def backbone(base):
    """Keras's own weights by our names; Keras numbers its layers in the order in which they are constructed."""
    kernels, norms = (
        sorted((layer for layer in base.layers if layer.name.startswith(kind)), key=number_of)
        for kind in ('conv2d', 'batch_normalization')
    )
    weights = {}
    for name, kernel, norm in zip(CONVOLUTIONS, kernels, norms, strict=True):
        weights[f'backbone.{name}.conv.weight'] = torch.from_numpy(kernel.get_weights()[0].transpose(3, 2, 0, 1))
        parts = zip(('bias', 'running_mean', 'running_var'), norm.get_weights(), strict=True)
        weights |= {f'backbone.{name}.bn.{part}': torch.from_numpy(values) for part, values in parts}
    return weights


def number_of(layer):
    return int((re.search(r'_(\d+)$', layer.name) or '00')[1])


def test_a_keras_model_computes_the_same_here(tmp_path, make_classifier):
    with numbers_of('float64') as keras:
        network = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
        theirs = sequential(keras, randomise(network), keras.Input((SIZE, SIZE, 3)))
        save_as(theirs, tmp_path, ['.keras'])
        # Keras's Rescaling rounds to float32, so ours gets its result.
        images = theirs.layers[0](np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, 3)))
        expected = torch.from_numpy(keras.Sequential(theirs.layers[1:]).predict(images, verbose=0))
    ours = make_classifier(num_classes=CLASSES, count_include_pad=False).double()
    load_into(ours, tmp_path / 'model.keras')

    with torch.no_grad():
        logits = ours.head(ours.extract_feat(torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)))

    assert (logits - expected).abs().max() <= 1e-10 * expected.abs().max()


@pytest.mark.parametrize(('make', 'suffix'), files_of(WHOLE))
def test_every_kind_of_model_and_file_loads_exactly(save, model, backbone, make, suffix):
    path, theirs = save(make, suffix)
    kernel, bias = theirs.get_weights()[-2:]

    loaded = load(path, model)

    assert loaded.left_at_init == ()
    assert all(torch.equal(loaded.state_dict[name], values) for name, values in backbone.items())
    assert torch.equal(loaded.state_dict['head.fc.weight'], torch.from_numpy(kernel.T))
    assert torch.equal(loaded.state_dict['head.fc.bias'], torch.from_numpy(bias))


@pytest.mark.parametrize(('make', 'suffix'), files_of(WITH_OTHER_LAYERS))
def test_other_layers_cannot_be_evaluated_but_training_starts_from_the_rest(save, model, backbone, make, suffix):
    path, _ = save(make, suffix)

    with pytest.raises(InputError, match=r'other layers in place of head\.fc'):
        load(path, model)
    loaded = load(path, model, new_classes=True)

    assert loaded.left_at_init == ('head.fc.weight', 'head.fc.bias')
    assert all(torch.equal(loaded.state_dict[name], values) for name, values in backbone.items())


@pytest.mark.parametrize('new_classes', [False, True])
def test_two_networks_in_a_file_are_refused(save, model, new_classes):
    with pytest.raises(InputError, match='holds Inception V3 2 times'):
        load(save(two_networks, '.keras')[0], model, new_classes=new_classes)
