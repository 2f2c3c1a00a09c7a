"""Solutions of lesson 22, and mistakes that its checks should find."""

import numpy as np


def recall(matrix):
    return np.diag(matrix) / matrix.sum(axis=1)


def wrong_recall(matrix):  # that is precision: of all that were called so
    return np.diag(matrix) / matrix.sum(axis=0)


def surest_mistake(p, t):
    sure = np.where(p.argmax(axis=1) == t, 0, p.max(axis=1))
    return int(sure.argmax())


def wrong_surest_mistake(p, t):  # the surest of all, right ones too
    return int(p.max(axis=1).argmax())


def margin(share, n):
    return 2 * (share * (1 - share) / n) ** 0.5


def wrong_margin(share, n):  # forgot the root
    return 2 * share * (1 - share) / n
