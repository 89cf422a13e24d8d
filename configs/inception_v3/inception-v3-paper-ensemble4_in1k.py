# An ensemble of four of the paper's Inception-v3, trained from different seeds, on one crop or 144 (its table 5).
#
#   python tools/test.py configs/inception_v3/inception-v3-paper-ensemble4_in1k.py
#   python tools/test.py configs/inception_v3/inception-v3-paper-ensemble4_in1k.py --tta
#
# The members are trained as inception-v3-paper_50xb32_in1k.py says, with seeds 0 to 3:
# `--work-dir work_dirs/inception-v3-paper-seed$seed --cfg-options randomness.seed=$seed`.
#
# Four checkpoints after the config replace those below. Several checkpoints of any other config are an ensemble too:
# `tools/test.py CONFIG CHECKPOINT CHECKPOINT`. On several GPUs the first stands before their number:
# `bash tools/dist_test.sh CONFIG CHECKPOINT 8 CHECKPOINT CHECKPOINT CHECKPOINT --tta`.
#
# Expected: not measured. The paper, with --tta: top-1 82.8 and top-5 96.54 on 48,238 of the validation images;
# inception-v3-paper-48238_in1k.py says how to leave the others out.
_base_ = 'inception-v3-paper-144crop_in1k.py'

# A member of another config names it by `config=FILE`. It may normalise otherwise, but has to have this test pipeline.
ensemble = [dict(checkpoint=f'work_dirs/inception-v3-paper-seed{seed}/epoch_100.pth') for seed in range(4)]
