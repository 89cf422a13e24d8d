"""Keys of mmengine's message hub that this package adds; checkpoints store them."""

from __future__ import annotations

# The epoch, counted from 1, after which the run was last validated. (Keys that start with `val` are metrics.)
VALIDATED_EPOCH = 'last_validated_epoch'
# How many batches of the current epoch are done, how many there are, and what they depend on: images in a batch of one
# process, processes, images in the dataset.
BATCHES_DONE = 'batches_done'
BATCHES_PER_EPOCH = 'batches_per_epoch'
BATCH_SIZE = 'batch_size'
WORLD_SIZE = 'world_size'
DATASET_LENGTH = 'dataset_length'
# How many batches were left out because their loss was not finite, and the iteration of the last one.
SKIPPED_BATCHES = 'skipped_batches'
LAST_SKIPPED_ITER = 'last_skipped_iter'
# Training images seen, and messages about those that could not be decoded.
IMAGES_SEEN = 'images_seen'
BROKEN_IMAGES = 'broken_images'
# The checkpoint of a run that a signal stopped, until a later one makes it needless.
STOPPED_CHECKPOINT = 'stopped_ckpt'
# The best value so far and how many validations were not better, where training stops early.
EARLY_STOP = 'early_stop'
