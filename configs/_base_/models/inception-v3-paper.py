# Inception V3 as the paper's TensorFlow code trains it: auxiliary classifier with weight 0.4, label smoothing 0.1 and
# dropout 0.2, as in inception-v3-aux.py, and also
#   - batch norm with decay 0.9997 (momentum 3e-4 in torch) and epsilon 1e-3 (research/slim/nets/inception_utils.py);
#   - 3x3 average pools that do not count padded zeros, as in TensorFlow;
#   - input in [-1, 1] (research/slim/preprocessing/inception_preprocessing.py).
# The initialisation is the code's too; it is the default of backbone and head. One difference: batch norm has a scale
# here (without weight decay); TensorFlow's does not (scale=False).
_base_ = 'inception-v3-aux.py'

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])

norm_cfg = dict(type='BN', momentum=3e-4, eps=1e-3)
model = dict(
    backbone=dict(norm_cfg=norm_cfg, count_include_pad=False),
    head=dict(norm_cfg=norm_cfg, dropout=0.2),
)
