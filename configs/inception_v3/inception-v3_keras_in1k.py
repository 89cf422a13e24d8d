# Keras's Inception V3 on ImageNet-1k, with Keras's padding and preprocessing.
#
#   python tools/test.py configs/inception_v3/inception-v3_keras_in1k.py keras
#
# Expected: top-1 77.898, top-5 93.720 (keras-applications' README; not measured here).
#
# The README says "single center crop", but not how it resized. This config resizes the whole image, as
# keras.utils.image_dataset_from_directory does; inception-v3_keras-tfeval_in1k.py crops, as TensorFlow's slim does.
_base_ = [
    '../_base_/models/inception-v3.py',
    '../_base_/datasets/imagenet_bs32_299px_tf2.py',
    '../_base_/schedules/imagenet_bs256_coslr.py',
    '../_base_/default_runtime.py',
]

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
model = dict(backbone=dict(count_include_pad=False))
