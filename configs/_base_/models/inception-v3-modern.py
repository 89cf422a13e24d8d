# Inception V3 with the auxiliary classifier and label smoothing, trained with mixup (alpha 0.2) or CutMix (alpha 1.0),
# one of them for each batch (torchvision's recipe of 2021; GluonCV and PaddleClas use mixup of 0.2). Targets are
# mixtures, so training logs no accuracy.
_base_ = 'inception-v3-aux.py'

model = dict(train_cfg=dict(augments=[dict(type='Mixup', alpha=0.2), dict(type='CutMix', alpha=1.0)]))
