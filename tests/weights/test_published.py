"""The table of published weights, and their names."""

import re

import pytest
from mmengine.config import Config
from support import REPOSITORY

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import metafile, published
from mmpretrain_inception.weights.files import opener

NAMES = {'torchvision', 'timm-tf', 'timm-tf-adv', 'timm-gluon', 'timm-tv', 'keras', 'mmpretrain'}


def test_every_publisher_has_a_name():
    assert set(published.published_names()) == NAMES


@pytest.mark.parametrize('name', sorted(NAMES))
def test_a_name_says_all_that_is_known(name):
    found = published.find(name)
    assert found.name == name
    assert found.address.startswith('https://')
    assert re.fullmatch(r'(sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{32})?', found.checksum)
    # Only timm's files come with their sha256.
    assert found.checksum or found.address.startswith('https://huggingface.co/timm/')
    assert found.licence in ('Apache-2.0', 'BSD-3-Clause')
    assert Config.fromfile(found.config).model.head.num_classes == len(found.classes) == 1000


def test_the_table_knows_the_digits_in_the_names_of_files():
    for model in metafile._models(metafile.ROOT / metafile._TABLE):
        digits = re.search(r'-([0-9a-f]{8})\.', model.get('Weights', ''))
        if digits:
            assert metafile.checksum_of(model['Weights']) == f'sha256:{digits[1]}', model['Name']


def test_nothing_else_knows_an_address():
    known = {model['Weights'] for model in metafile._models(metafile.ROOT / metafile._TABLE) if 'Weights' in model}
    files = [*(REPOSITORY / 'mmpretrain_inception').rglob('*.py'), *(REPOSITORY / 'configs').rglob('*.py')]
    assert files
    assert not [(file.name, address) for file in files for address in known if address in file.read_text()]


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('torchvison', r'torchvison: expected a file, an address or one of .* keras; did you mean torchvision\?$'),
        ('TIMM-TF', r'did you mean timm-tf\?$'),
        ('x', r'x: expected a file, an address or one of mmpretrain, .*, keras$'),
    ],
)
def test_another_name_is_refused_with_the_nearest(name, message):
    with pytest.raises(InputError, match=message):
        published.find(name)


def test_a_name_is_opened_from_its_address(monkeypatch, tmp_path):
    """A file of that name in the working directory needs a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'torchvision').touch()
    asked = []
    monkeypatch.setattr(opener, 'download', lambda address, check: asked.append(address) or tmp_path / 'torchvision')
    with pytest.raises(InputError, match=r'torchvision \(kept as .*\) is empty'):
        opener.open_weights('torchvision')
    assert asked == [published.find('torchvision').address]
    with pytest.raises(InputError, match=r'^\./torchvision is empty'):
        opener.open_weights('./torchvision')
    assert len(asked) == 1
