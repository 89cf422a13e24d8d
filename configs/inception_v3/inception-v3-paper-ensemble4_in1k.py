# An ensemble of four of the paper's Inception-v3, trained with different seeds, with one crop or 144 (its table 5).
#
#   python tools/test.py configs/inception_v3/inception-v3-paper-ensemble4_in1k.py
#   python tools/test.py configs/inception_v3/inception-v3-paper-ensemble4_in1k.py --tta
#
# Train the members with inception-v3-paper_50xb32_in1k.py and seeds 0 to 3:
# `--work-dir work_dirs/inception-v3-paper-seed$seed --cfg-options randomness.seed=$seed`.
#
# Four checkpoints after the config replace those below. With any other config, too, several checkpoints make an
# ensemble: `tools/test.py CONFIG CHECKPOINT CHECKPOINT`. On several GPUs the first one comes before their number:
# `bash tools/dist_test.sh CONFIG CHECKPOINT 8 CHECKPOINT CHECKPOINT CHECKPOINT --tta`.
#
# Expected: not measured. The paper, with --tta: top-1 82.8 and top-5 96.54 on 48,238 of the validation images;
# inception-v3-paper-48238_in1k.py shows how to leave out the others.
_base_ = 'inception-v3-paper-144crop_in1k.py'

# A member with its own config sets `config=FILE`. It may normalise differently, but must have this test pipeline.
ensemble = [dict(checkpoint=f'work_dirs/inception-v3-paper-seed{seed}/epoch_100.pth') for seed in range(4)]
