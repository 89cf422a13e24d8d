"""Every publisher's own code against ours, from the publisher's own file, over two images at 299 px."""

from collections import namedtuple
from hashlib import blake2b

import pytest
import torch
from keras_models import SUFFIXES, numbers_of, save_as
from keras_models import randomise as randomise_keras
from mmpretrain.registry import MODELS
from torch.nn import functional
from torchvision.models import inception_v3

from mmpretrain_inception.weights import load, load_into

SIZE = 299
TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}
TENSORFLOW_POOLS = dict(count_include_pad=False)
FID_POOLS = dict(count_include_pad=False, last_pool='max')

# None for what a publisher does not compute.
Outputs = namedtuple('Outputs', ['features', 'logits', 'aux_logits'], defaults=[None])


@pytest.fixture(scope='module')
def pixels():
    """Blots of colour under noise: noise alone looks the same to a network that averages over pixels."""
    generator = torch.Generator().manual_seed(1)
    blots = torch.rand(2, 3, 5, 5, generator=generator)
    blots = functional.interpolate(blots, size=(SIZE, SIZE), mode='bicubic').clamp(0, 1)
    noise = torch.rand(2, 3, SIZE, SIZE, generator=generator)
    return (255 * (0.7 * blots + 0.3 * noise)).to(torch.uint8)


# What is equal in float64 is equal; float32 only rounds more.
@pytest.fixture(
    scope='module',
    params=[pytest.param(torch.float32, marks=pytest.mark.stress), torch.float64],
    ids=['float32', 'float64'],
)
def dtype(request):
    return request.param


@pytest.fixture(scope='module')
def images(pixels, dtype):
    return (pixels.to(dtype) - 128) / 128


@torch.no_grad()
def in_batches(function, images, size=2):
    batches = [Outputs(*function(batch)) for batch in images.split(size)]
    return Outputs(*(None if parts[0] is None else torch.cat(parts) for parts in zip(*batches)))


def with_features(model):
    """Call a model and add the input of its fc."""

    def call(images):
        seen = []
        hook = model.fc.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
        output = model(images)
        hook.remove()
        logits, aux_logits = output if isinstance(output, tuple) else (output, None)
        return Outputs(seen[0].flatten(1), logits, aux_logits)

    return call


@pytest.fixture(scope='module')
def compute_ours(images, dtype, make_classifier):
    """Load a file into our model and run it; files that give the same layers the same values need one run."""
    runs = []

    def compute(path, with_aux=False, **settings):
        model = make_classifier(with_aux=with_aux, **settings).to(dtype)
        load_into(model, path)
        # The states themselves would take gigabytes.
        digests = {(name, digest_of(tensor)) for name, tensor in model.state_dict().items()}
        for earlier_settings, earlier_digests, outputs in runs:
            if earlier_settings == settings and digests <= earlier_digests:
                return outputs
        runs.append((settings, digests, in_batches(call_ours(model), images)))
        return runs[-1][-1]

    return compute


def digest_of(tensor):
    return blake2b(tensor.contiguous().view(-1).numpy().data).digest()


def call_ours(model):
    def call(images):
        feats = model.extract_feat(images, stage='neck')
        aux = model.head.AuxLogits
        return Outputs(feats[-1], model.head(feats), None if aux is None else aux(feats[-2]))

    return call


def relative_difference(theirs, ours):
    return ((theirs - ours).abs().max() / theirs.abs().max()).item()


def check(theirs, ours, dtype, record_property):
    for name, expected, actual in zip(Outputs._fields, theirs, ours):
        if expected is None or actual is None:
            continue
        assert actual.dtype == dtype
        # A network that gives every image the same would agree with anything.
        assert expected.std(dim=0).mean() > 0.01 * expected.std()
        difference = relative_difference(expected, actual)
        record_property(name, f'{difference:.1e}')
        assert difference <= TOLERANCES[dtype]


@pytest.fixture(scope='module')
def state(torchvision_model, dtype):
    """The weights that torchvision's, timm's and mmpretrain's code gets, under torchvision's names."""
    return {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in torchvision_model.state_dict().items()
    }


@pytest.mark.slow
def test_torchvision_file_gives_torchvision_logits(state, compute_ours, save, images, dtype, record_property):
    peer = inception_v3(init_weights=False).to(dtype).eval()
    peer.load_state_dict(state)
    # In evaluation torchvision's code leaves the auxiliary classifier out.
    aux_maps = []
    peer.Mixed_6e.register_forward_hook(lambda module, args, output: aux_maps.append(output))

    def call(batch):
        features, logits, _ = with_features(peer)(batch)
        return Outputs(features, logits, peer.AuxLogits(aux_maps.pop()))

    ours = compute_ours(save(peer.state_dict()), with_aux=True)

    check(in_batches(call, images), ours, dtype, record_property)


@pytest.mark.slow
@pytest.mark.parametrize(('with_aux', 'suffix'), [(False, '.pth'), (True, '.safetensors')])
def test_timm_file_gives_timm_logits(state, compute_ours, tmp_path, images, dtype, with_aux, suffix, record_property):
    timm = pytest.importorskip('timm')
    safetensors_torch = pytest.importorskip('safetensors.torch')
    peer = timm.create_model('inception_v3', pretrained=False, aux_logits=with_aux).to(dtype).eval()
    peer.load_state_dict({name: state[name] for name in peer.state_dict()})
    path = tmp_path / f'model{suffix}'
    (torch.save if suffix == '.pth' else safetensors_torch.save_file)(peer.state_dict(), path)

    theirs = in_batches(with_features(peer), images)

    assert (theirs.aux_logits is not None) == with_aux
    check(theirs, compute_ours(path, with_aux=with_aux), dtype, record_property)


@pytest.mark.slow
def test_mmpretrain_file_gives_mmpretrain_logits(state, compute_ours, save, images, dtype, record_property):
    backbone = dict(type='mmpretrain.InceptionV3', num_classes=1000, aux_logits=False)
    peer = MODELS.build(dict(type='ImageClassifier', backbone=backbone, head=dict(type='ClsHead'))).to(dtype).eval()
    peer.backbone.load_state_dict({name: state[name] for name in peer.backbone.state_dict()})
    path = save(dict(meta={}, state_dict=peer.state_dict()))

    # Its backbone returns auxiliary and main logits.
    theirs = in_batches(lambda batch: (None, peer.backbone(batch)[-1]), images)

    check(theirs, compute_ours(path), dtype, record_property)


@pytest.fixture(scope='module')
def keras_peer(dtype, images, tmp_path_factory):
    """Keras's network with weights of chance, saved in each of its formats, and what it computes."""
    folder = tmp_path_factory.mktemp('keras')
    with numbers_of(str(dtype).removeprefix('torch.')) as keras:
        model = randomise_keras(keras.applications.InceptionV3(weights=None, classifier_activation=None))
        save_as(model, folder)
        with_features = keras.Model(model.input, [model.layers[-2].output, model.output])
        outputs = with_features.predict(images.permute(0, 2, 3, 1).numpy(), batch_size=2, verbose=0)
    return folder, Outputs(*map(torch.from_numpy, outputs))


@pytest.mark.slow
@pytest.mark.parametrize('suffix', SUFFIXES)
def test_keras_file_gives_keras_logits(keras_peer, compute_ours, suffix, dtype, record_property):
    folder, theirs = keras_peer

    check(theirs, compute_ours(folder / f'model{suffix}', **TENSORFLOW_POOLS), dtype, record_property)


@pytest.fixture(scope='module')
def fid_file(randomise, dtype, tmp_path_factory):
    """A file of the names and shapes of the published FID weights."""
    torch.manual_seed(0)
    network = randomise(inception_v3(num_classes=1008, aux_logits=False, init_weights=False))
    path = tmp_path_factory.mktemp('fid') / 'pt_inception.pth'
    # The values are float32's, because both publishers' modules take them up in float32.
    torch.save(network.to(dtype).state_dict(), path)
    return path


@pytest.mark.slow
def test_fid_file_and_saved_module_give_pytorch_fid_features(
    fid_file, compute_ours, make_classifier, save, images, dtype, monkeypatch, record_property
):
    module = pytest.importorskip('pytorch_fid.inception')
    # It has no argument for a file.
    monkeypatch.setattr(module, 'load_state_dict_from_url', lambda *args, **kwargs: torch.load(fid_file))
    peer = module.InceptionV3(resize_input=False, normalize_input=False).to(dtype).eval()
    blocks = load(save(peer.state_dict()), make_classifier(**FID_POOLS).backbone).state_dict
    published = torch.load(fid_file)

    theirs = in_batches(lambda batch: (peer(batch)[0].flatten(1), None), images)
    ours = compute_ours(fid_file, num_classes=1008, **FID_POOLS)

    assert list(blocks) == [name for name in published if not name.startswith('fc.')]
    assert all(torch.equal(blocks[name], published[name]) for name in blocks)
    check(theirs, ours, dtype, record_property)


@pytest.mark.slow
def test_fid_file_gives_torch_fidelity_logits(fid_file, compute_ours, pixels, dtype, record_property):
    module = pytest.importorskip('torch_fidelity.feature_extractor_inceptionv3')
    peer = module.FeatureExtractorInceptionV3(
        'inception-v3-compat', ['logits'], feature_extractor_weights_path=str(fid_file)
    ).to(dtype)
    # torch-fidelity 0.4.0 takes 'float64' for its argument, but runs in float32 then.
    peer.feature_extractor_internal_dtype = dtype

    def logits_of_its_own_precision(batch):
        # Its forward rounds what it returns to float32.
        seen = []
        hook = peer.fc.register_forward_hook(lambda module, args, output: seen.extend((args[0], output)))
        peer(batch)
        hook.remove()
        return seen

    theirs = in_batches(logits_of_its_own_precision, pixels)

    check(theirs, compute_ours(fid_file, num_classes=1008, **FID_POOLS), dtype, record_property)


@pytest.mark.parametrize('pools', [TENSORFLOW_POOLS, dict(last_pool='max')])
def test_another_pool_gives_other_logits(torchvision_model, make_classifier, save, pixels, pools):
    path = save(torchvision_model.state_dict())
    logits = []
    for settings in ({}, pools):
        model = make_classifier(**settings)
        load_into(model, path)
        logits.append(in_batches(call_ours(model), pixels[:2, :, ::3, ::3] / 128 - 1).logits)

    # Far above the tolerances, so that the tests of parity tell the pools apart.
    assert relative_difference(*logits) > 1e-3
