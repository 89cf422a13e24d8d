# Inception V3 with the auxiliary classifier and label smoothing, trained on mixtures of images: mixup of parameter 0.2
# or CutMix of parameter 1.0, one of them for each batch (torchvision's recipe of 2021; GluonCV and PaddleClas take
# mixup of 0.2). Targets are mixtures then, so that training logs no accuracy.
_base_ = 'inception-v3-aux.py'

model = dict(train_cfg=dict(augments=[dict(type='Mixup', alpha=0.2), dict(type='CutMix', alpha=1.0)]))
