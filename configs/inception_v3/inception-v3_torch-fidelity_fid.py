# The Inception V3 of 2015 that FID uses, with torch-fidelity's preprocessing, to extract 2048 features per image.
#
#   from mmpretrain import FeatureExtractor
#   extract = FeatureExtractor(
#       'configs/inception_v3/inception-v3_torch-fidelity_fid.py', 'weights-inception-2015-12-05-6726825d.pth')
#   features = [output[-1] for output in extract(['a.jpg', 'b.jpg'])]
#
# The probabilities of its 1008 classes, for all images in data/images and its subfolders:
#
#   python tools/test.py configs/inception_v3/inception-v3_torch-fidelity_fid.py \
#       weights-inception-2015-12-05-6726825d.pth --out probabilities.pkl
#
# Expected: no accuracy, because its 1008 outputs do not correspond to the 1000 classes of ImageNet-1k.
#
# This network differs from all others here: its average pools do not count padded zeros, and the last one is a max
# pool. torch-fidelity scales pixels to (x - 128) / 128 after resizing, as the TensorFlow graph of 2015 does;
# pytorch-fid resizes and scales differently, see inception-v3_pytorch-fid_fid.py.
_base_ = [
    '../_base_/models/inception-v3.py',
    '../_base_/datasets/images_bs32_299px_tf1.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(num_classes=1008, mean=[128.0, 128.0, 128.0], std=[128.0, 128.0, 128.0])
model = dict(backbone=dict(count_include_pad=False, last_pool='max'), head=dict(num_classes=1008))
