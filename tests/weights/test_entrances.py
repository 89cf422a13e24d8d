"""Every entrance gives the same answer for the same file: the weights exactly, or the same refusal."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import BaseLoop, CheckpointLoader, load_checkpoint
from narrow import thinner
from torch import nn

from mmpretrain_inception.apis.convert import convert
from mmpretrain_inception.engine import FitWeightsHook
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import SCHEMES, Opened, from_ours, load, load_into, networks_in, open_weights
from mmpretrain_inception.weights.families.inception_v3.names import CONVOLUTIONS

pytestmark = pytest.mark.usefixtures('narrow')

CLASSES = 5
KERNEL = 'Mixed_6d.branch7x7_2.conv.weight'
MODEL = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(type='mmpretrain_inception.InceptionV3'),
    neck=dict(type='mmpretrain_inception.InceptionNeck'),
    head=dict(type='mmpretrain_inception.InceptionHead', num_classes=CLASSES),
)


# What a model may be for a file to fill it; without a head where the file has none.
FORMS = {
    'classifier': {},
    'deploy form': dict(backbone=MODEL['backbone'] | dict(deploy=True)),
    'FID': dict(backbone=MODEL['backbone'] | dict(count_include_pad=False, last_pool='max'), head=None),
}


@pytest.fixture(scope='module')
def source(narrow):
    torch.manual_seed(1)
    state = MODELS.build(MODEL).state_dict()
    for name, tensor in state.items():
        # Keras keeps no scale, so it stays 1.
        if name.endswith(('bn.bias', 'bn.running_mean', 'bn.running_var')):
            tensor.uniform_(0.5, 1.5)
    return state


@pytest.fixture(scope='module')
def models(source):
    """A model of each form, and the weights that it should have."""
    made = {}

    def of(form):
        if form not in made:
            model, full = MODELS.build(MODEL | FORMS[form]), MODELS.build(MODEL)
            full.load_state_dict(source)
            if form == 'deploy form':
                full.backbone.switch_to_deploy()
            made[form] = model, {name: full.state_dict()[name] for name in model.state_dict()}
        return made[form]

    return of


@pytest.fixture(scope='module')
def model(models):
    return models('classifier')[0]


def runner_of(model, starting):
    loop = object.__new__(type('Loop', (BaseLoop,), {'run': lambda self: None}))
    loop.dataloader = SimpleNamespace(dataset=SimpleNamespace(metainfo={}))
    train, test = (loop, None) if starting else (None, loop)
    logger = SimpleNamespace(info=lambda line: None)
    names = dict(_train_loop=train, _val_loop=None, _test_loop=test, _resume=False, _load_from='FILE', logger=logger)
    return SimpleNamespace(model=model, **names)


def by_runner(path, model, starting=False):
    checkpoint = open_weights(path).checkpoint
    FitWeightsHook().after_load_checkpoint(runner_of(model, starting), checkpoint)
    model.load_state_dict(checkpoint['state_dict'])


def by_init_cfg(path, model):
    pretrained = dict(type='Pretrained', checkpoint=str(path))
    MODELS.build(MODEL | dict(init_cfg=pretrained)).init_weights()
    load_into(model, path, new_classes=True)


EVALUATION = {
    'Runner': by_runner,
    'get_model and inferencers': lambda path, model: load_checkpoint(model, str(path), map_location='cpu'),
    'ensemble and export': lambda path, model: load_into(model, path),
}
START = {'Runner': lambda path, model: by_runner(path, model, starting=True), 'init_cfg': by_init_cfg}


def renamed(prefix):
    return lambda ours: {f'{prefix}{name}': tensor for name, tensor in ours.items()}


def in_keras_names(ours):
    """The weights as Keras lays them out, in a model whose numbers start anywhere, around one other layer."""
    layers = {'sequential/answer/kernel': ours['head.fc.weight'].T, 'sequential/answer/bias': ours['head.fc.bias']}
    parts = {'beta': 'bias', 'moving_mean': 'running_mean', 'moving_variance': 'running_var'}
    for number, name in enumerate(CONVOLUTIONS, 7):
        kernel = ours[f'backbone.{name}.conv.weight'].permute(2, 3, 1, 0)
        layers[f'inception_v3/conv2d_{number}/kernel'] = kernel
        for theirs, part in parts.items():
            layers[f'inception_v3/batch_normalization_{number}/{theirs}'] = ours[f'backbone.{name}.bn.{part}']
    return layers


def in_fid_names(ours):
    """The names of pytorch-fid's module, which has no classifier."""
    prefixes = SCHEMES['pytorch-fid'].prefixes
    backbone = {name: tensor for name, tensor in ours.items() if name.startswith('backbone.')}
    return {
        theirs + name.removeprefix(prefix): tensor
        for name, tensor in backbone.items()
        for theirs, prefix in prefixes
        if name.startswith(prefix)
    }


def deployed(ours):
    full = MODELS.build(MODEL)
    full.load_state_dict(ours)
    full.backbone.switch_to_deploy()
    return dict(state_dict=full.state_dict())


GOOD = {
    'own': lambda ours: dict(state_dict=ours, meta=dict(epoch=1)),
    'torchvision': lambda ours: from_ours(ours, 'torchvision'),
    'timm, averaged': lambda ours: dict(
        state_dict={name: 0 * tensor for name, tensor in from_ours(ours, 'timm').items()},
        state_dict_ema=from_ours(ours, 'timm'),
    ),
    'mmpretrain': lambda ours: {f'backbone.{name}': tensor for name, tensor in from_ours(ours, 'torchvision').items()},
    'keras': in_keras_names,
    'pytorch-fid': in_fid_names,
    'deploy form': deployed,
    'module.': renamed('module.'),
    '_orig_mod.module.': renamed('_orig_mod.module.'),
    'Lightning': lambda ours: dict(state_dict={**renamed('model.')(ours), 'criterion.weight': torch.ones(CLASSES)}),
    'nested': lambda ours: {'model_state_dict': renamed('net.')(from_ours(ours, 'torchvision'))},
}
# The others fill a classifier.
FORM_OF = {'pytorch-fid': 'FID', 'deploy form': 'deploy form'}


def changed(name, change):
    def damage(ours):
        theirs = from_ours(ours, 'torchvision')
        return {**theirs, name: change(theirs[name])}

    return damage


def with_nan(tensor):
    tensor = tensor.clone()
    tensor[(0,) * tensor.ndim] = float('nan')
    return tensor


BAD = {
    'missing': (lambda ours: {n: t for n, t in from_ours(ours, 'torchvision').items() if n != KERNEL}, 'missing: '),
    'NaN': (changed(KERNEL, with_nan), f'{KERNEL} holds NaN or infinity'),
    'infinity': (changed('Conv2d_1a_3x3.bn.bias', lambda t: t / 0), 'bn.bias holds NaN or infinity'),
    'complex': (changed(KERNEL, lambda t: t.to(torch.complex64)), f'{KERNEL} is of type torch.complex64'),
    'integers': (changed(KERNEL, lambda t: t.to(torch.int32)), f'{KERNEL} is of type torch.int32'),
    'meta': (changed(KERNEL, lambda t: t.to('meta')), 'meta'),
    'sparse': (changed('fc.bias', lambda t: t.to_sparse()), 'sparse'),
    'quantised': (changed('fc.bias', lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8)), 'quantised'),
    'pytorch-fid, for ImageNet': (in_fid_names, "the weights of FID's network"),
    'deploy form, for training': (deployed, 'in deploy form'),
    'twice': (lambda ours: {**renamed('student.')(ours), **renamed('teacher.')(ours)}, 'holds Inception V3 2 times'),
}


@pytest.fixture(scope='module')
def write(source, tmp_path_factory):
    folder, written = tmp_path_factory.mktemp('files'), {}

    def once(name, content):
        if name not in written:
            written[name] = folder / f'{len(written)}.{"h5" if name == "keras" else "pth"}'
            if name == 'keras':
                with pytest.importorskip('h5py').File(written[name], 'w') as file:
                    for path, values in content(source).items():
                        file[path] = values.numpy()
            else:
                torch.save(content(source), written[name])
        return written[name]

    return once


@pytest.mark.parametrize('kind', GOOD)
def test_every_entrance_loads_the_same(kind, write, models):
    path = write(kind, GOOD[kind])
    model, expected = models(FORM_OF.get(kind, 'classifier'))
    for enter in (*EVALUATION.values(), START['Runner']):
        for tensor in model.state_dict().values():
            tensor.zero_()
        enter(path, model)
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize('kind', BAD)
def test_every_entrance_refuses_the_same(kind, write, model, tmp_path):
    content, message = BAD[kind]
    path = write(kind, content)
    entrances = [*EVALUATION.values(), *START.values()]
    # It has no model, so what is wrong only for one is right for it.
    if 'pytorch-fid' not in kind:
        entrances.append(lambda path, model: convert(path, tmp_path / 'out.pth'))
    for enter in entrances:
        with pytest.raises(InputError, match=message):
            enter(path, model)
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize('replaced', [False, True])
def test_other_classes_are_refused_for_evaluation_and_left_at_initialisation_at_a_start(write, model, replaced):
    def other(ours):
        theirs = {n: t for n, t in from_ours(ours, 'torchvision').items() if not n.startswith('fc.')}
        layers = {'fc.0.': 7, 'fc.3.': CLASSES} if replaced else {'fc.': 37}
        return theirs | {f'{name}weight': torch.ones(size, thinner(2048)) for name, size in layers.items()}

    path = write(f'other {replaced}', other)
    message = 'other layers in place of head.fc' if replaced else r'head\.fc'
    for enter in EVALUATION.values():
        with pytest.raises(InputError, match=message):
            enter(path, model)
    loaded = load(path, model, new_classes=True)
    assert loaded.left_at_init == ('head.fc.weight', 'head.fc.bias')
    assert any('head.fc left at initialisation' in line for line in loaded.notes)


@pytest.mark.parametrize('options', [dict(stem='7x7'), dict(in_channels=1), dict(in_channels=4)], ids=str)
def test_checkpoints_of_variants_are_converted(tmp_path, options):
    head = dict(type='mmpretrain_inception.InceptionHead', num_classes=CLASSES, with_aux=True, aux_fc_norm=False)
    variant = MODELS.build(MODEL | dict(backbone=MODEL['backbone'] | options, head=head)).state_dict()
    torch.save(variant, tmp_path / 'variant.pth')
    convert(tmp_path / 'variant.pth', tmp_path / 'out.pth')
    converted = open_weights(tmp_path / 'out.pth').tensors
    assert converted.keys() == variant.keys()
    assert all(torch.equal(converted[name], variant[name]) for name in variant)


def test_a_start_adapts_the_first_kernel_to_other_images(source):
    grey = MODELS.build(MODEL | dict(backbone=MODEL['backbone'] | dict(in_channels=1)))
    with pytest.raises(InputError, match=r'of another shape: backbone\.Conv2d_1a_3x3'):
        load(source, grey)
    loaded = load(source, grey, new_classes=True)
    name = 'backbone.Conv2d_1a_3x3.conv.weight'
    torch.testing.assert_close(loaded.state_dict[name], source[name].sum(dim=1, keepdim=True))
    assert any('adapted to 1 channel' in line for line in loaded.notes)


def test_converting_the_deploy_form_names_what_to_convert(write, tmp_path):
    with pytest.raises(InputError, match='convert the checkpoint that it was made from'):
        convert(write('deploy form', deployed), tmp_path / 'out.pth')


def test_strict_loading_by_torch_tells_the_truth(source):
    head = MODELS.build(dict(type='mmpretrain_inception.InceptionHead', num_classes=37))
    with pytest.raises(RuntimeError, match=r'size mismatch for fc\.weight'):
        head.load_state_dict({n.removeprefix('head.'): t for n, t in source.items() if n.startswith('head.')})


@pytest.mark.parametrize('meant', ['zoo', 'ant'])
def test_classes_of_other_names(source, model, meant):
    names = ('ant', 'bee', 'cat', 'dog', 'eel')
    checkpoint = dict(state_dict=source, meta=dict(dataset_meta=dict(classes=names)))
    opened = Opened({}, checkpoint['meta'], checkpoint, 'FILE')
    classes = (meant, *names[1:])
    if meant == 'ant':
        assert load(opened, model, classes=classes).left_at_init == ()
        return
    with pytest.raises(InputError, match="FILE: class 0 is 'ant' in the file, but 'zoo' in the data"):
        load(opened, model, classes=classes)
    assert load(opened, model, classes=classes, new_classes=True).left_at_init == ('head.fc.weight', 'head.fc.bias')


def test_a_plain_module_around_the_backbone_is_filled_from_a_publishers_file(source, model):
    host = nn.Module()
    host.encoder, host.decoder = MODELS.build(MODEL['backbone']), nn.Linear(3, 2)
    file = from_ours(source, 'torchvision')
    with pytest.raises(InputError, match=r'missing: decoder\.weight, decoder\.bias$'):
        load(file, host)
    loaded = load(file, host, new_classes=True)
    assert loaded.left_at_init == ('decoder.weight', 'decoder.bias')
    assert torch.equal(loaded.state_dict[f'encoder.{KERNEL}'], file[KERNEL])
    own = host.state_dict()
    assert list(load(own, host).state_dict) == list(own)


@pytest.mark.parametrize('address', ['torchvision://x', 'open-mmlab://x', 's3://bucket/x', 'pavi://x', 'file.pth'])
def test_the_loaders_of_mmengine_stay_what_they_are(address):
    assert CheckpointLoader._get_checkpoint_loader(address).__module__ == 'mmengine.runner.checkpoint'


def test_other_models_are_loaded_by_mmengine(tmp_path):
    other = nn.Linear(2, 2)
    torch.save({'weight': torch.ones(2, 2)}, tmp_path / 'part.pth')
    load_checkpoint(other, str(tmp_path / 'part.pth'))
    assert torch.equal(other.weight, torch.ones(2, 2))


def test_mmpretrains_own_network_stays_with_mmengine(tmp_path):
    """It has the same names, so only its class tells it from ours."""
    with torch.device('meta'):
        theirs = MODELS.build(dict(type='mmpretrain.InceptionV3', num_classes=CLASSES))
        ours = MODELS.build(MODEL)
    assert networks_in(theirs) == []
    assert networks_in(ours) == [ours.backbone]
    torch.save({'fc.bias': torch.ones(CLASSES)}, tmp_path / 'part.pth')
    load_checkpoint(theirs.to_empty(device='cpu'), str(tmp_path / 'part.pth'))
    assert torch.equal(theirs.fc.bias, torch.ones(CLASSES))
