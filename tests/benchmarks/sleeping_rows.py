"""Rows of a benchmark that only wait, in a module that another process can import."""

import os
import time
from functools import partial

from mmpretrain_inception.errors import InputError


def sleep(subject, batch_size, seconds):
    """Return a step that takes that long."""
    return partial(time.sleep, seconds)


def sleep_as_the_environment_says(subject, batch_size):
    """Return a step that takes as long as a variable says, and prints, as libraries do."""
    return lambda: (print('not an answer', flush=True), time.sleep(float(os.environ['SECONDS_TO_SLEEP'])))


def refuse(subject, batch_size):
    """Fail for a reason that the user can mend."""
    raise InputError('no such weights')


def vanish_in_a_step(subject, batch_size):
    """Return a step that ends the process."""
    return partial(os._exit, 1)


def talk_and_vanish(subject, batch_size):
    """Print what could be mistaken for an answer, and end."""
    print('{"result": null}', flush=True)
    os._exit(1)
