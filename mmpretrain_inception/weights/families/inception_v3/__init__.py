"""Inception V3: our names, those of publishers, and the folding of the input range."""

from mmpretrain_inception.weights.families.family import Family
from mmpretrain_inception.weights.families.inception_v3.fid import FID_META, check_fid, is_fid
from mmpretrain_inception.weights.families.inception_v3.fold import fold_input_range
from mmpretrain_inception.weights.families.inception_v3.names import (
    AFTER_AUX,
    AUX_PREFIX,
    FINAL_LAYERS,
    INPUT_KERNELS,
    LAYERS,
    OURS,
    VARIANTS,
)
from mmpretrain_inception.weights.families.inception_v3.schemes import SCHEMES

INCEPTION_V3 = Family(
    title='Inception V3',
    order=OURS,
    variants=VARIANTS,
    schemes=SCHEMES,
    layers=LAYERS,
    final_layers=FINAL_LAYERS,
    auxiliary=AUX_PREFIX,
    after_auxiliary=AFTER_AUX,
    input_kernels=INPUT_KERNELS,
    is_special=is_fid,
    check_special=check_fid,
    special_meta=FID_META,
    fold=fold_input_range,
)
