import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support import CONFIGS


@pytest.fixture
def trained():
    """Parameters after one step on eight images, in batches of eight by the number of accumulated iterations."""

    def train(count, with_cp=False):
        cfg = Config.fromfile(CONFIGS / 'inception-v3-aux_8xb32_in1k.py')
        cfg.merge_from_dict(
            {
                'optim_wrapper.accumulative_counts': count,
                'model.backbone.with_cp': with_cp,
                # What depends on the images beside one in a batch, or on chance.
                'model.backbone.norm_eval': True,
                'model.head.aux_fc_norm': False,
                'model.head.dropout': 0.0,
                'model.head.num_classes': 10,
                'data_preprocessor.num_classes': 10,
            }
        )
        torch.manual_seed(0)
        model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor}).double().train()
        model.head.AuxLogits.conv0.bn.eval()
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        wrapper.initialize_count_status(model, 0, count)
        images = torch.rand(8, 3, 75, 75, dtype=torch.float64)
        samples = [DataSample().set_gt_label(label) for label in range(8)]
        for part in range(count):
            own = slice(part * 8 // count, (part + 1) * 8 // count)
            with wrapper.optim_context(model):
                losses, _ = model.parse_losses(model(images[own], samples[own], mode='loss'))
            wrapper.update_params(losses)
        return dict(model.named_parameters())

    return train


@pytest.mark.parametrize('with_cp', [False, True])
def test_four_accumulated_batches_make_the_step_of_one_of_four_times_the_size(trained, with_cp):
    torch.testing.assert_close(trained(4, with_cp), trained(1), rtol=1e-9, atol=1e-11)
