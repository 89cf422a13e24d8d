# Inception V3 as the paper's TensorFlow code trains it: auxiliary classifier with weight 0.4, label smoothing 0.1 and
# dropout 0.2 as in inception-v3-aux.py, and besides
#   - batch norm averages its statistics by 0.9997 a step, 3e-4 in torch's convention, with epsilon 1e-3
#     (research/slim/nets/inception_utils.py);
#   - the 3x3 average pools leave padded zeros out, as TensorFlow's do;
#   - the input lies in [-1, 1] (research/slim/preprocessing/inception_preprocessing.py).
# Every layer starts as it does there; that is the default of the backbone and the head. What differs: batch norm has a
# scale here, not decayed, which TensorFlow's does without (scale=False).
_base_ = 'inception-v3-aux.py'

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])

norm_cfg = dict(type='BN', momentum=3e-4, eps=1e-3)
model = dict(
    backbone=dict(norm_cfg=norm_cfg, count_include_pad=False),
    head=dict(norm_cfg=norm_cfg, dropout=0.2),
)
