import io
import json
import pickle
import zipfile

import pytest
import torch
from torch import nn

from mmpretrain_inception.deploy import Contract, export_model, load_runtime
from mmpretrain_inception.deploy.backends import torch_backend
from mmpretrain_inception.deploy.backends.pt2_archive import check_archive
from mmpretrain_inception.errors import InputError


class Touch:
    """A pickle that writes a file when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


@pytest.fixture(scope='module')
def program(tmp_path_factory):
    """An exported file of a network of one convolution."""
    path = tmp_path_factory.mktemp('program') / 'm.pt2'
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    export_model(model, path, to='torch', contract=Contract(num_classes=4, height=8, width=8))
    return path


def rewritten(program, path, change):
    """Copy an archive, each member through ``change(name, content)``; a name of its own adds a member."""
    with zipfile.ZipFile(program) as source, zipfile.ZipFile(path, 'w') as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
    return path


def in_document(member, edit):
    def change(name, content):
        if not name.endswith(member):
            return content
        document = json.loads(content)
        edit(document)
        return json.dumps(document).encode()

    return change


def set_target(document):
    document['graph_module']['graph']['nodes'][0]['target'] = 'torch.hub.load'


def set_expression(document):
    size = document['graph_module']['graph']['tensor_values']['images']['sizes'][0]
    size['as_expr']['expr_str'] = '__import__("os").getcwd()'


def set_guards(document):
    document['guards_code'] = ['open("x", "w")']


def set_spec(document):
    document['graph_module']['module_call_graph'][0]['signature']['in_spec'] = (
        '[1, {"type": "collections.defaultdict"}]'
    )


def set_pickle(document):
    next(iter(document['config'].values()))['use_pickle'] = True


@pytest.mark.parametrize(
    'target',
    [
        *('torch.ops.aten.save.default', 'torch.ops.aten.from_file.default', 'torch.ops.aten.relu_evil.default'),
        *('torch.ops.prim.save.default', 'torch.ops.higher_order.cond', 'builtins.getattr', 'torch.ops.aten.relu'),
    ],
)
def test_operators_that_are_not_on_the_list_are_refused(program, tmp_path, target):
    def edit(document):
        document['graph_module']['graph']['nodes'][0]['target'] = target

    path = rewritten(program, tmp_path / 'm.pt2', in_document('models/model.json', edit))
    with pytest.raises(InputError, match=f'got target = {target}'):
        load_runtime(path)


@pytest.mark.parametrize(
    ('member', 'edit', 'message'),
    [
        ('models/model.json', set_target, 'target = torch.hub.load'),
        ('models/model.json', set_expression, 'expr_str = __import__'),
        ('models/model.json', set_guards, 'guards_code'),
        ('models/model.json', set_spec, 'in_spec'),
        ('model_weights_config.json', set_pickle, 'use_pickle = True'),
    ],
)
def test_what_would_be_evaluated_or_unpickled_is_refused(program, tmp_path, member, edit, message):
    path = rewritten(program, tmp_path / 'm.pt2', in_document(member, edit))
    assert path.read_bytes() != program.read_bytes()
    with pytest.raises(InputError, match=f'm.pt2: .*got {message}.*might run code'):
        load_runtime(path)


def test_example_inputs_that_run_code_are_refused_before_they_do(program, tmp_path):
    content = io.BytesIO()
    torch.save(Touch(tmp_path / 'touched'), content)
    path = rewritten(
        program,
        tmp_path / 'm.pt2',
        lambda name, old: content.getvalue() if name.endswith('sample_inputs/model.pt') else old,
    )
    with pytest.raises(InputError, match='example inputs that are not tensors'):
        load_runtime(path)
    assert not (tmp_path / 'touched').exists()


@pytest.mark.parametrize('name', ['m/data/constants/opaque_obj_0', 'm/data/weights/model.pt', 'm/models/other.json'])
def test_members_that_are_loaded_otherwise_are_refused(program, tmp_path, name):
    path = rewritten(program, tmp_path / 'm.pt2', lambda _, content: content)
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr(name, pickle.dumps(Touch(tmp_path / 'touched')))
    with pytest.raises(InputError, match=f'a member {name}'):
        load_runtime(path)
    assert not (tmp_path / 'touched').exists()


def test_our_own_files_pass_and_compute(program):
    check_archive(program.read_bytes(), 'm.pt2')
    images = torch.randn(3, 3, 8, 8)
    assert load_runtime(program, threads=1)(images.numpy()).shape == (3, 4)


def test_a_pytorch_whose_files_contain_pickles_is_refused_for_writing_and_loading(program, tmp_path, monkeypatch):
    """An argument that older ones lack tells them apart."""
    contract = torch_backend.read_contract(program)
    monkeypatch.setattr(torch_backend.ExportedProgram, 'module', lambda self: None)
    for use in (
        lambda: torch_backend.write(nn.Identity(), tmp_path / 'new.pt2', contract, None),
        lambda: torch_backend.load(program, contract, threads=1),
    ):
        with pytest.raises(InputError, match=r'needs a newer PyTorch; exported programs of .* contain pickles'):
            use()
    assert not (tmp_path / 'new.pt2').exists()
