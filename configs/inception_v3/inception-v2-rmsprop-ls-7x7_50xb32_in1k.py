# Table 3 of arXiv:1512.00567, row "+ factorized 7x7": Inception-v3 without the batch norm in its auxiliary classifier,
# 50 x 32 images.
#
#   bash tools/dist_train.sh configs/inception_v3/inception-v2-rmsprop-ls-7x7_50xb32_in1k.py 5
#
# on each of ten machines with 5 GPUs; inception-v3-paper_50xb32_in1k.py shows how to use fewer GPUs.
#
# Expected: top-1 error 21.6, top-5 error 5.8 (the paper's table 3; not measured here). 5.731 GFLOPs, the paper 4.8.
#
# The configs of this table are written from the last row to the first, each as a difference from the next, so that
# everything else stays the paper's recipe. The difference here: the fully connected layer of the auxiliary classifier,
# a 5x5 convolution in the code, has a bias instead of batch norm. The 1x1 convolution before it keeps its batch norm.
_base_ = 'inception-v3-paper_50xb32_in1k.py'

model = dict(head=dict(aux_fc_norm=False))
