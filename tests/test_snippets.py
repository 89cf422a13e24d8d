"""The Python code in the documents, as it stands. tests/tools/test_deploy_document.py runs that of docs/deploy.md."""

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from narrow import SHARE, torchvision_weights
from support import REPOSITORY, code_blocks
from tiny_model import picture, write_checkpoint

pytestmark = pytest.mark.usefixtures('narrow')

DOCUMENTS = ['README.md', *sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob('docs/*.md'))]
BLOCKS = [
    pytest.param(code, id=f'{document}-{number}')
    for document in DOCUMENTS
    if document != 'docs/deploy.md'
    for number, code in enumerate(code_blocks(document))
]


def is_config(code):
    return not any(line.startswith(('import ', 'from ')) for line in code.splitlines())


@pytest.fixture
def users_folder(narrow, image_folder, tmp_path, monkeypatch):
    """Where a reader would be: with ``images`` and the file of torchvision that the documents name (random weights)."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.save(torchvision_weights(1000), tmp_path / 'inception_v3_google-0cc3c7bd.pth')
    (tmp_path / 'work_dirs' / 'flowers').mkdir(parents=True)
    write_checkpoint(tmp_path / 'work_dirs' / 'flowers' / 'best_accuracy_top1_epoch_3.pth')
    for name in ('photo.jpg', 'a.jpg', 'b.jpg'):
        picture().save(tmp_path / name)


def test_there_are_snippets():
    codes = [parameter.values[0] for parameter in BLOCKS]
    assert sum(map(is_config, codes)) >= 3
    assert sum(not is_config(code) for code in codes) >= 2


@pytest.mark.slow
@pytest.mark.parametrize('code', BLOCKS)
def test_a_snippet_runs(code, tmp_path, users_folder):
    if not is_config(code):
        exec(compile(code, 'document', 'exec'), {})
        return
    (tmp_path / 'config.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'config.py')
    for part in ('backbone', 'model'):
        if part in cfg:
            built = MODELS.build(cfg[part])
            built.init_weights()
            assert sum(parameter.numel() for parameter in built.parameters()) > 20e6 / SHARE**2
