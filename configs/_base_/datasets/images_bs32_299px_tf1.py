# Images without labels in data/images and its subfolders, to extract features: the whole image is resized to 299 x 299
# with TensorFlow 1's bilinear interpolation, as in torch-fidelity. There is no metric; the outputs are the result.
test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow', color_type='color_ignore_orientation'),
    dict(type='mmpretrain_inception.TensorFlowResize', scale=299),
    dict(type='PackInputs'),
]

test_dataloader = dict(
    batch_size=32,
    dataset=dict(type='CustomDataset', data_root='data/images', with_label=False, pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_evaluator = []
test_cfg = dict()
