"""Solutions of lesson 08, and mistakes that its checks should find."""

import numpy as np


def split(rows, fraction):
    at = round(len(rows) * (1 - fraction))
    return rows[:at], rows[at:]


def wrong_split(rows, fraction):  # the parts overlap
    return rows, rows[-round(len(rows) * fraction) :]


def dropped(x, u, d):
    return np.where(u < d, 0, x / (1 - d))


def wrong_dropped(x, u, d):  # the mean becomes smaller
    return np.where(u < d, 0, x)


def epochs_run(losses, patience):
    best, wait = float("inf"), 0
    for epoch, loss in enumerate(losses):
        if loss < best:
            best, wait = loss, 0
        else:
            wait += 1
            if wait >= patience:
                return epoch + 1
    return len(losses)


def wrong_epochs_run(losses, patience):  # compares with the epoch before
    wait = 0
    for epoch in range(1, len(losses)):
        wait = 0 if losses[epoch] < losses[epoch - 1] else wait + 1
        if wait >= patience:
            return epoch + 1
    return len(losses)
