# Table 3 of arXiv:1512.00567, row "+ factorized 7x7": Inception-v3 but for its auxiliary classifier, 50 x 32 images.
#
#   bash tools/dist_train.sh configs/inception_v3/inception-v2-rmsprop-ls-7x7_50xb32_in1k.py 5
#
# on each of ten machines of 5 GPUs, or on others as inception-v3-paper_50xb32_in1k.py says.
#
# Expected: top-1 error 21.6, top-5 error 5.8 (the paper's table 3; not measured here). 5.731 GFLOPs, the paper 4.8.
#
# The rows of the table are written from the last to the first, each as what it lacks of the next, so that they keep to
# the paper's recipe in everything else. This one lacks the batch norm of the auxiliary classifier's fully connected
# layer, a 5x5 convolution in the code, which has a bias instead. The 1x1 convolution before it keeps its batch norm.
_base_ = 'inception-v3-paper_50xb32_in1k.py'

model = dict(head=dict(aux_fc_norm=False))
