"""recon.data.safari: the drawn photos."""

import numpy as np
import pytest

from recon.data import safari


def test_a_photo_is_the_same_whatever_else_is_drawn():
    alone = safari.draw(5, 48, seed=3)
    np.testing.assert_array_equal(safari.draw_many([2, 5, 1], 48, seed=3)[1], alone)
    assert alone.shape == (48, 48, 3)
    assert alone.dtype == np.uint8
    assert (safari.draw(5, 48, seed=4) != alone).any()


@pytest.mark.parametrize("size", [31, 513, 0, -64])
def test_a_size_that_cannot_be_drawn_is_refused(size):
    with pytest.raises(ValueError, match=f"size {size} is not between 32 and 512"):
        safari.draw(0, size)
