# Inception V3 with 1000 classes and no auxiliary classifier.

# ImageNet's mean and std, in RGB from 0 to 255, as for mmpretrain's checkpoint and training from scratch. They belong
# to the model: weights from other publishers need different ones.
data_preprocessor = dict(
    num_classes=1000,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)

model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmpretrain_inception.InceptionV3'),
    neck=dict(type='mmpretrain_inception.InceptionNeck'),
    head=dict(
        type='mmpretrain_inception.InceptionHead',
        num_classes=1000,
        in_channels=2048,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5),
    ),
)
