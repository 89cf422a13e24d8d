# The Inception V3 of 2015 that FID uses, with pytorch-fid's preprocessing, to extract 2048 features per image.
#
#   from mmpretrain import FeatureExtractor
#   extract = FeatureExtractor(
#       'configs/inception_v3/inception-v3_pytorch-fid_fid.py', 'pt_inception-2015-12-05-6726825d.pth')
#   features = [output[-1] for output in extract(['a.jpg', 'b.jpg'])]
#
# Expected: no accuracy, because its 1008 outputs do not correspond to the 1000 classes of ImageNet-1k.
#
# The network is the one of inception-v3_torch-fidelity_fid.py. pytorch-fid resizes the whole image with PyTorch's
# bilinear interpolation, which aligns pixel centers and does not antialias, and scales pixels to [-1, 1].
_base_ = 'inception-v3_torch-fidelity_fid.py'

test_pipeline = [
    dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow', color_type='color_ignore_orientation'),
    dict(type='NumpyToPIL', to_rgb=True),
    dict(type='torchvision/ToTensor'),  # RGB from 0 to 1
    dict(type='torchvision/Resize', size=(299, 299), antialias=False),
    dict(type='PackInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

data_preprocessor = dict(mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5], to_rgb=False)
