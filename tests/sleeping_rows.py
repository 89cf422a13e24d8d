"""Rows of a benchmark that do nothing but wait, in a module that another process can import."""

import os
import time
from functools import partial

from mmpretrain_inception.errors import InputError


def sleep(seconds, subject, batch_size):
    """Return a step that takes so long."""
    return partial(time.sleep, seconds)


def sleep_as_the_environment_says(subject, batch_size):
    """Return a step that takes as long as a variable says."""
    return partial(time.sleep, float(os.environ['SECONDS_TO_SLEEP']))


def refuse(subject, batch_size):
    """Fail for a reason that is the user's to mend."""
    raise InputError('no such weights')


def vanish(subject, batch_size):
    """End without a word."""
    os._exit(1)


def vanish_in_a_step(subject, batch_size):
    """Return a step that ends the process."""
    return partial(os._exit, 1)
