from types import SimpleNamespace

from mmengine.config import Config
from mmengine.registry import DefaultScope
from support import CONFIGS

from mmpretrain_inception.deploy import Contract
from mmpretrain_inception.deploy.contract import KEY
from mmpretrain_inception.engine import ContractHook


def saved(**changes):
    """Return the meta of a checkpoint of a run, and what was logged."""
    cfg = Config.fromfile(CONFIGS / 'inception-v3-modern_1xb64_folder-75px.py')
    cfg.merge_from_dict({'model.head.num_classes': 2, **changes})
    lines = []
    dataset = SimpleNamespace(metainfo=dict(classes=('ant', 'bee')))
    loader, logger = SimpleNamespace(dataset=dataset), SimpleNamespace(info=lines.append)
    hook, checkpoint = ContractHook(), dict(meta=dict(epoch=1))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        hook.before_train(SimpleNamespace(cfg=cfg, train_dataloader=loader, logger=logger))
    hook.before_save_checkpoint(SimpleNamespace(), checkpoint)
    return checkpoint['meta'], lines


def test_a_checkpoint_says_how_it_is_used():
    meta, lines = saved()
    contract = Contract.from_json(meta[KEY], 'FILE')
    assert (contract.classes, contract.height, lines) == (('ant', 'bee'), 75, [])
    assert contract.network['head']['num_classes'] == 2


def test_names_of_another_number_of_classes_are_not_taken():
    assert Contract.from_json(saved(**{'model.head.num_classes': 3})[0][KEY], 'FILE').classes is None


def test_a_model_without_a_rule_is_said_once_and_saved_as_before():
    meta, lines = saved(**{'model.head.type': 'ArcFaceClsHead'})
    assert meta == dict(epoch=1)
    assert lines == ['load_model cannot use the checkpoints of this run: no rule for model.head.type=ArcFaceClsHead']
