"""A detector, a segmenter and a plain model around our backbone, under the runtime of our recipes."""

import itertools

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from narrow import thinner
from support import REPOSITORY
from torch import nn
from torch.nn import functional

from mmpretrain_inception import InceptionV3
from mmpretrain_inception.engine import FiniteLossHook
from mmpretrain_inception.errors import BrokenImageError, InputError
from mmpretrain_inception.registry import RUNNERS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow')]

NAMES = itertools.count()
IMAGES = 5


class Stranger(BaseModel):
    """Our backbone and one layer of its own."""

    def __init__(self, outputs):
        torch.manual_seed(7)
        super().__init__()
        self.backbone = InceptionV3(out_indices=(3, 4))
        self.own = nn.Conv2d(thinner(2048), outputs, 1)

    def extract(self, inputs):
        images = torch.stack(list(inputs)).float() / 255
        return self.own(self.backbone(images)[-1])


class Detector(Stranger):
    """Takes lists, as mmdet's detectors do; one box for each image."""

    def __init__(self):
        super().__init__(outputs=4)

    def forward(self, inputs, data_samples, mode='tensor'):
        boxes = self.extract(inputs).mean((2, 3)).sigmoid()
        if mode == 'loss':
            expected = torch.stack([sample.gt_instances.bboxes[0] for sample in data_samples])
            # mmdet's losses may be lists, one for each level.
            return dict(loss_bbox=[functional.l1_loss(boxes, expected)], loss_cls=boxes.sum() * 0)
        for sample, box in zip(data_samples, boxes):
            sample.pred_instances = InstanceData(bboxes=box[None])
        return data_samples


class Segmenter(Stranger):
    """Takes a batch of images and maps of labels, as mmseg's segmenters do."""

    def __init__(self):
        super().__init__(outputs=3)

    def forward(self, inputs, data_samples, mode='tensor'):
        scores = functional.interpolate(self.extract(inputs), size=75)
        if mode == 'loss':
            expected = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
            return {'decode.loss_ce': functional.cross_entropy(scores, expected)}
        for sample, score in zip(data_samples, scores):
            sample.pred_sem_seg = PixelData(data=score.argmax(0, keepdim=True))
        return data_samples


class Plain(Stranger):
    """Takes images and labels as positional arguments, as in mmengine's tutorial."""

    def __init__(self):
        super().__init__(outputs=3)

    def forward(self, images, labels, mode='tensor'):
        scores = self.extract(images).mean((2, 3))
        if mode == 'loss':
            return dict(loss=functional.cross_entropy(scores, labels))
        return scores, labels


def image_of(index):
    return torch.randint(256, (3, 75, 75), generator=torch.Generator().manual_seed(index), dtype=torch.uint8)


class Boxes(torch.utils.data.Dataset):
    metainfo = dict(classes=('car', 'tram'))

    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        instances = InstanceData(bboxes=torch.tensor([[0.1, 0.2, 0.5, 0.6]]), labels=torch.tensor([9]))
        sample = BaseDataElement(metainfo=dict(img_path=f'{index}.jpg'), gt_instances=instances)
        return dict(inputs=image_of(index), data_samples=sample)


class Maps(Boxes):
    def __getitem__(self, index):
        sample = BaseDataElement(metainfo=dict(img_path=f'{index}.jpg'))
        sample.gt_sem_seg = PixelData(data=torch.full((1, 75, 75), index % 3))
        return dict(inputs=image_of(index), data_samples=sample)


class Pairs(Boxes):
    def __getitem__(self, index):
        return image_of(index), index % 3


class Count(BaseMetric):
    """How many images were tested, and a number that depends on every prediction."""

    default_prefix = 'stranger'

    def process(self, data_batch, data_samples):
        if isinstance(data_samples[0], torch.Tensor):
            self.results += [float(score.sum()) for score in data_samples[0]]
        else:
            self.results += [self._sum(sample) for sample in data_samples]

    @staticmethod
    def _sum(sample):
        part = sample.get('pred_instances') or sample.get('pred_sem_seg')
        return float((part['bboxes'] if 'bboxes' in part else part['data']).sum())

    def compute_metrics(self, results):
        return dict(acc=len(results), total=sum(results))


STRANGERS = {
    'detector': (Detector, Boxes, 'pseudo_collate'),
    'segmenter': (Segmenter, Maps, 'pseudo_collate'),
    'plain model': (Plain, Pairs, 'default_collate'),
}


def build(kind, folder, epochs=1, **settings):
    model, dataset, collate = STRANGERS[kind]
    runtime = Config.fromfile(REPOSITORY / 'configs/_base_/default_runtime.py')
    runtime.default_hooks.logger.interval = 1
    loader = dict(
        batch_size=2,
        dataset=dataset(),
        collate_fn=dict(type=collate),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    names = ('default_hooks', 'env_cfg', 'visualizer', 'log_processor', 'log_level', 'randomness', 'default_scope')
    return RUNNERS.get(runtime.runner_type)(
        model=model(),
        work_dir=str(folder),
        experiment_name=f'stranger_{next(NAMES)}',
        cfg=runtime,
        **{f'{phase}_dataloader': dict(loader) for phase in ('train', 'val', 'test')},
        **{f'{phase}_evaluator': [Count()] for phase in ('val', 'test')},
        **{f'{phase}_cfg': dict() for phase in ('val', 'test')},
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        **{name: runtime[name] for name in names},
        **settings,
    )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    runners = {}

    def run(kind):
        if kind not in runners:
            folder = tmp_path_factory.mktemp('trained')
            runners[kind] = folder, build(kind, folder, epochs=2)
            runners[kind][1].train()
        return runners[kind]

    return run


def logged(folder):
    return ''.join(path.read_text() for path in folder.rglob('*.log'))


@pytest.mark.parametrize('kind', STRANGERS)
def test_it_trains_validates_and_saves(trained, kind):
    folder, runner = trained(kind)
    # Five images in batches of two: the last one is dropped.
    assert (runner.epoch, runner.iter) == (2, 4)
    assert {'epoch_1.pth', 'epoch_2.pth', 'best_stranger_acc_epoch_1.pth'} <= {path.name for path in folder.iterdir()}
    assert runner.message_hub.get_scalar('train/images_per_s').current() > 0
    assert 'stranger/acc: 5' in logged(folder)


@pytest.mark.parametrize('kind', STRANGERS)
def test_a_resumed_run_equals_an_uninterrupted_one(trained, tmp_path, kind):
    _, whole = trained(kind)
    build(kind, tmp_path, epochs=1).train()
    resumed = build(kind, tmp_path, epochs=2, resume=True)
    resumed.train()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


@pytest.mark.parametrize('kind', STRANGERS)
def test_a_test_of_its_checkpoint_gives_the_last_validation(trained, tmp_path, kind):
    folder, _ = trained(kind)
    metrics = build(kind, tmp_path, load_from=str(folder / 'epoch_2.pth')).test()
    assert metrics['stranger/acc'] == IMAGES
    assert f'stranger/total: {metrics["stranger/total"]:.4f}' in logged(folder)


@pytest.mark.parametrize(
    ('kind', 'host'), [('detector', 'segmenter'), ('segmenter', 'plain model'), ('plain model', 'detector')]
)
def test_it_starts_from_the_backbone_of_another(trained, tmp_path, kind, host):
    folder, other = trained(host)
    runner = build(kind, tmp_path, epochs=0, load_from=str(folder / 'epoch_2.pth'))
    runner.train()
    for name, value in runner.model.backbone.state_dict().items():
        assert torch.equal(value, other.model.backbone.state_dict()[name]), name


class Poison(Hook):
    priority = 'VERY_HIGH'

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        runner.model.own.bias.data.fill_(float('nan'))


@pytest.mark.parametrize('kind', STRANGERS)
def test_a_loss_that_is_no_number_stops_it(tmp_path, kind):
    with pytest.raises(InputError, match='iteration 1: the loss is nan'):
        build(kind, tmp_path, custom_hooks=[Poison()]).train()
    assert (tmp_path / 'nonfinite_iter_1.pth').exists()


@pytest.mark.parametrize(('max_skipped', 'iterations'), [(0, None), (9, 2)])
def test_a_loss_of_one_of_several_optimizers_is_checked_too(tmp_path, max_skipped, iterations):
    runner = build('plain model', tmp_path)
    model = runner.model
    runner.optim_wrapper = OptimWrapperDict(
        backbone=OptimWrapper(torch.optim.SGD(model.backbone.parameters(), 0.1)),
        own=OptimWrapper(torch.optim.SGD(model.own.parameters(), 0.1)),
    )
    before = model.own.weight.clone()

    def train_step(data, optim_wrapper):
        images, labels = data
        loss = model(images, labels, mode='loss')['loss']
        optim_wrapper['backbone'].update_params(loss)
        optim_wrapper['own'].update_params(model(images, labels, mode='loss')['loss'] * float('nan'))
        return dict(loss=loss)

    model.train_step = train_step
    next(hook for hook in runner.hooks if isinstance(hook, FiniteLossHook)).max_skipped = max_skipped
    if iterations is None:
        with pytest.raises(InputError, match='iteration 1: the loss is nan'):
            runner.train()
    else:
        runner.train()
        assert runner.iter == iterations
    assert torch.equal(model.own.weight, before)


class Broken:
    """The third image cannot be decoded."""

    def __getitem__(self, index):
        if index == 2:
            raise BrokenImageError('2.jpg', 'cut off')
        return super().__getitem__(index)


class BrokenBoxes(Broken, Boxes):
    pass


class BrokenPairs(Broken, Pairs):
    pass


def test_a_broken_image_of_a_detector_is_replaced_and_named(tmp_path):
    runner = build('detector', tmp_path)
    runner._train_dataloader['dataset'] = BrokenBoxes()
    runner.train()
    assert (tmp_path / 'broken_images.txt').read_text() == '2.jpg: cut off\n'


def test_a_broken_image_without_a_place_to_name_it_stops_the_run(tmp_path):
    runner = build('plain model', tmp_path)
    runner._train_dataloader['dataset'] = BrokenPairs()
    with pytest.raises(BrokenImageError, match=r'2\.jpg: cut off'):
        runner.train()
