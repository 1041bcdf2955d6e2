"""Lesson 00's wrong functions, and the check that catches them."""

import math

import numpy as np


def mean_of_rmses(pairs):
    """Score photos one by one, and take the mean of their RMSEs."""
    return float(np.mean([math.sqrt(np.mean((truth - guess) ** 2)) for truth, guess in pairs]))


def root_of_mean_of_means(pairs):
    """Take the mean of the photos' mean squared differences, and its root at last."""
    return math.sqrt(np.mean([np.mean((truth - guess) ** 2) for truth, guess in pairs]))


def weighted_mean_of_rmses(pairs):
    """Score photos one by one, and weigh their RMSEs by how many values they have."""
    rmses = [math.sqrt(np.mean((truth - guess) ** 2)) for truth, guess in pairs]
    return float(np.average(rmses, weights=[truth.size for truth, _ in pairs]))


def catch_mean_of_means(rmse):
    """Raise an AssertionError where photos are scored one by one and then averaged.

    Args:
        rmse: takes pairs of arrays, true values and guessed ones, one pair per photo, and gives
            one number. Photos may have different numbers of values. It may be right or wrong.
    """
    right = np.zeros(8), np.zeros(8)
    wrong = np.zeros(1), np.ones(1)
    found = rmse([right, wrong])  # 1 of 9 values is off by 1: √(1/9); a mean of means has 1/2
    assert math.isclose(found, 1 / 3), f"{found}, where all nine values pooled give 1/3"
