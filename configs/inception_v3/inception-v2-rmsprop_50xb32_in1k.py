# Table 3 of arXiv:1512.00567, row "+ RMSProp": the next row without label smoothing, 50 GPUs x 32 images.
#
#   bash tools/dist_train.sh configs/inception_v3/inception-v2-rmsprop_50xb32_in1k.py 5
#
# on each of ten machines with 5 GPUs; inception-v3-paper_50xb32_in1k.py shows how to use fewer GPUs.
#
# Expected: top-1 error 23.1, top-5 error 6.3 (the paper's table 3; not measured here). 5.315 GFLOPs, the paper 3.8.
_base_ = 'inception-v2-rmsprop-ls_50xb32_in1k.py'

model = dict(head=dict(loss=dict(_delete_=True, type='CrossEntropyLoss')))
