"""What the small configs of several tests say about the images of a folder and how long they train."""

# After their ``pipeline``.
FOLDER_LOADERS = """
train_dataloader = dict(
    batch_size=12,
    num_workers=0,
    dataset=dict(type='mmpretrain_inception.ImageFolder', pipeline=pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=12,
    num_workers=0,
    dataset=dict(type='mmpretrain_inception.ImageFolder', pipeline=pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = [dict(type='Accuracy', topk=1), dict(type='mmpretrain_inception.CrossEntropy')]
test_dataloader, test_evaluator = val_dataloader, val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=2)
val_cfg = test_cfg = dict()
"""
