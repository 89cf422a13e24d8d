import os
import shutil

import pytest
import torch
from torch import nn

from mmpretrain_inception.deploy import Contract, export_model, load_runtime, read_contract
from mmpretrain_inception.deploy.choose import backend_of
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import partial_path


@pytest.mark.slow
def test_files_of_two_exports_do_not_load_together(tmp_path):
    """An export that is killed between its two renames leaves the old .xml beside the new .bin."""
    pytest.importorskip('openvino')
    for name in ('old', 'new'):
        torch.manual_seed(len(name) + ord(name[0]))
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        contract = Contract(num_classes=4, height=8, width=8)
        export_model(model, tmp_path / f'{name}.xml', to='openvino', contract=contract)
        load_runtime(tmp_path / f'{name}.xml')
    shutil.copy(tmp_path / 'new.bin', tmp_path / 'old.bin')
    for read in (load_runtime, read_contract):
        with pytest.raises(InputError, match=r'old\.xml: old\.bin belongs to another export'):
            read(tmp_path / 'old.xml')


def test_what_a_killed_export_left_is_removed_by_the_next_and_that_of_a_living_one_is_not(tmp_path):
    own = partial_path(tmp_path / 'm.pt2').name
    dead = tmp_path / own.replace(f'-{os.getpid()}.', '-999999999.').replace('m.pt2', 'old.xml')
    living = tmp_path / own.replace(f'-{os.getpid()}.', f'-{os.getppid()}.')
    for folder in (dead, living):
        folder.mkdir()
        (folder / 'half.bin').touch()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    export_model(model, tmp_path / 'm.pt2', to='torch', contract=Contract(num_classes=4, height=8, width=8))
    assert {path.name for path in tmp_path.iterdir()} == {'m.pt2', living.name}


@pytest.mark.parametrize(('to', 'suffix'), [('torch', '.pt2'), ('onnx', '.onnx'), ('openvino', '.xml')])
def test_a_file_that_is_replaced_after_its_contract_was_read_is_refused(tmp_path, to, suffix):
    if to != 'torch':
        pytest.importorskip(to)
    path = tmp_path / f'm{suffix}'
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for classes in ('abcd', 'efgh'):
        export_model(model, path, to=to, contract=Contract(num_classes=4, height=8, width=8, classes=tuple(classes)))
        if classes == 'abcd':
            contract = read_contract(path)
    with pytest.raises(InputError, match='was replaced while it was read'):
        backend_of(path).module.load(path, contract, 1)


def test_an_onnx_file_with_weights_in_other_files_is_refused(tmp_path):
    onnx = pytest.importorskip('onnx')
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    export_model(model, tmp_path / 'm.onnx', to='onnx', contract=Contract(num_classes=4, height=8, width=8))
    proto = onnx.load(tmp_path / 'm.onnx')
    onnx.save(proto, tmp_path / 'm.onnx', save_as_external_data=True, location='other', size_threshold=0)
    for read in (load_runtime, read_contract):
        with pytest.raises(InputError, match='some are in other files'):
            read(tmp_path / 'm.onnx')
