"""CycleGAN: what masked and complete photos have in common, learned without pairs.

Two generators, each the other's inverse, and two judges (Zhu et al., 2017).
https://arxiv.org/abs/1703.10593

Domain A are masked photos, domain B complete ones. What pix2pix is told, which complete photo
belongs to which masked one, is kept from it: that is why it is here.
"""

from functools import partial

import keras
from keras import layers, ops

from recon import devices, losses
from recon.models import blocks
from recon.models.adversarial import call_frozen

SIZES = (32, 64, 128, 256, 512)
EVEN_BATCH = True  # one half of a batch gives masked photos, the other complete ones


@keras.saving.register_keras_serializable("recon")
class ReflectionPadding(layers.Layer):
    """Continue a picture past its edges by its mirror image: `(B, H, W, C) -> (B, H+2p, W+2p, C)`.

    Zeros around a photo would be a border that the network sees, and paints.
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, x):
        around = [self.padding, self.padding]
        return ops.pad(x, [[0, 0], around, around, [0, 0]], mode="reflect")

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


def instance_normalise(x, scale, offset, epsilon=1e-3):
    """Normalise every channel of every photo by itself (Ulyanov et al., 2016, equation 6).

    What the layer `blocks.normalise("instance")` does, written out: (x − mean) / √(variance + ε)
    over a photo's pixels, then a scale and an offset per channel, which are learned.
    https://arxiv.org/abs/1607.08022

    Args:
        x: `(B, H, W, C)`.
        scale, offset: `(C,)`.
        epsilon: added to the variance, against division by 0; 0.001 in Keras's layers.

    Returns:
        `(B, H, W, C)`.
    """
    mean = ops.mean(x, axis=(1, 2), keepdims=True)  # (B, 1, 1, C)
    variance = ops.mean((x - mean) ** 2, axis=(1, 2), keepdims=True)  # (B, 1, 1, C)
    return scale * (x - mean) / ops.sqrt(variance + epsilon) + offset


def convolve(filters: int, width: int, stride: int = 1):
    """Convolution, instance normalisation, ReLU: the paper's c7s1-k (width 7), dk (3, stride 2).

    `(B, H, W, C)` -> `(B, H/stride, W/stride, filters)`; reflected at the edges, without stride.
    """

    def block(x):
        if stride == 1:
            x = ReflectionPadding(width // 2)(x)
        x = layers.Conv2D(
            filters,
            width,
            stride,
            "valid" if stride == 1 else "same",
            use_bias=False,
            kernel_initializer=blocks.normal(),
        )(x)
        return layers.ReLU()(blocks.normalise("instance")(x))

    return block


def residual(filters: int):
    """Two convolutions 3×3, added to what came in: the paper's Rk.

    Each is reflected at the edges, has no bias and is followed by instance normalisation; a ReLU
    comes after the first only, `convolve`.

    Args:
        filters: channels of what comes in, and of all in between.

    Returns:
        a function `x (B, H, W, filters) -> (B, H, W, filters)`, which makes its layers when called.
    """

    def block(x):
        y = ReflectionPadding()(convolve(filters, 3)(x))
        y = layers.Conv2D(filters, 3, use_bias=False, kernel_initializer=blocks.normal())(y)
        return layers.Add()([x, blocks.normalise("instance")(y)])  # no ReLU: it may take away

    return block


def widen(filters: int):
    """Transposed convolution 3×3 of stride 2, instance normalisation, ReLU: the paper's uk.

    `(B, H, W, C)` -> `(B, 2H, 2W, filters)`
    """

    def block(x):
        x = blocks.Conv2DTranspose(
            filters, 3, 2, "same", use_bias=False, kernel_initializer=blocks.normal()
        )(x)
        return layers.ReLU()(blocks.normalise("instance")(x))

    return block


def generator(
    size: int = 256, filters: int = 64, residuals: int = 9, name: str = "generator"
) -> keras.Model:
    """Build the paper's ResNet (appendix 7.2): down to a quarter, residual blocks, up again.

    It sees a photo and no mask, as between any two kinds of photos; the boxes are black enough.

    Args:
        size: height and width, a power of two from 32 to 512.
        filters: channels after the first convolution; 64 in the paper.
        residuals: residual blocks; in the paper 9 from size 256 on, 6 below.
        name: the network's.

    Returns:
        model `photo (B, S, S, 3) in [0, 1] -> photo of the other domain (B, S, S, 3) in [0, 1]`;
        11.4 M weights with the paper's settings at 256.

    Raises:
        ValueError: another size.
    """
    blocks.check_size(size, SIZES)
    photo = layers.Input((size, size, 3), name="photo")
    # shapes as at size 256 with 64 filters
    x = convolve(filters, 7)(2 * photo - 1)  # (B, 256, 256, 64)
    x = convolve(filters * 2, 3, 2)(x)  # (B, 128, 128, 128)
    x = convolve(filters * 4, 3, 2)(x)  # (B, 64, 64, 256)
    for _ in range(residuals):
        x = residual(filters * 4)(x)  # (B, 64, 64, 256)
    x = widen(filters * 2)(x)  # (B, 128, 128, 128)
    x = widen(filters)(x)  # (B, 256, 256, 64)
    x = ReflectionPadding(3)(x)  # (B, 262, 262, 64)
    x = layers.Conv2D(3, 7, activation="tanh", kernel_initializer=blocks.normal())(x)
    other = blocks.FromSigned()(x)  # (B, 256, 256, 3) in [0, 1]
    return keras.Model(photo, other, name=name)


def discriminator(size: int = 256, filters: int = 64, name: str = "discriminator") -> keras.Model:
    """Build the 70×70 PatchGAN that judges one photo by itself.

    Args:
        size: height and width, a power of two from 32 to 512.
        filters: channels after the first convolution; 64 in the paper.
        name: the network's.

    Returns:
        model `photo (B, S, S, 3) in [0, 1] -> scores (B, S/8 - 2, S/8 - 2, 1)`; 2.77 M weights
        with 64 filters.

    Raises:
        ValueError: another size.
    """
    blocks.check_size(size, SIZES)
    photo = layers.Input((size, size, 3), name="photo")
    return keras.Model(photo, blocks.patches(filters, "instance")(2 * photo - 1), name=name)


def put(photos, place, photo):
    """`photos (N, S, S, 3)` with `photo (S, S, 3)` at a place."""
    return ops.scatter_update(photos, ops.reshape(place, (1, 1)), photo[None])


def exchange(photos, count, new, place, older):
    """Show a pool one new fake (Zhu et al., section 4; Shrivastava et al., 2017, section 2.3).

    Until the pool is full, the new fake is shown and is kept at the next free place. Of a full
    pool, heads (`older`) shows the fake at the drawn place and keeps the new one there; tails shows
    the new one and keeps none.

    Args:
        photos: `(N, S, S, 3)`, what the pool holds; only the first `count` places are filled.
        count: how many fakes it has been given so far, N or more once it is full.
        new: `(S, S, 3)`, the fake.
        place: drawn from 0 ... N - 1.
        older: heads or tails, a bool.

    Returns:
        what the pool holds now, `(N, S, S, 3)`, and what a judge is shown, `(S, S, 3)`.
    """
    filling = count < photos.shape[0]
    place = ops.where(filling, count, place)
    swap = ops.logical_and(ops.logical_not(filling), older)
    old = ops.take(photos, place, axis=0)
    shown = ops.where(swap, old, new)
    kept = ops.where(ops.logical_or(filling, swap), new, old)
    return put(photos, place, kept), shown


@keras.saving.register_keras_serializable("recon")
class PhotoPool(layers.Layer):
    """Fakes of the past, so that a judge does not forget them (Shrivastava et al., 2017, 2.3).

    Until the pool is full a judge sees the new fake, which is kept. Then it sees, with probability
    1/2, an older one, whose place the new one takes, and else the new one, which is not kept.

    Its photos and their number are weights that no gradient moves: a checkpoint has them.

    Args:
        capacity: how many photos it holds; 50 in the paper (section 4).
    """

    def __init__(self, capacity=50, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})  # fakes as they were, bit for bit
        self.capacity = capacity
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, shape):
        kept = (self.capacity, *shape[1:])
        same = "only_first_replica"  # several devices keep the same photos
        self.photos = self.add_weight(
            kept, "zeros", trainable=False, aggregation=same, name="photos"
        )
        self.count = self.add_weight(
            (), "zeros", "int32", trainable=False, aggregation=same, name="count"
        )

    def call(self, fresh):
        """Take new fakes `(B, S, S, 3)` one after the other; return those to be judged."""
        fresh = devices.whole(fresh)
        number = ops.shape(fresh)[0]
        seed = self.seed_generator
        places = keras.random.randint((number,), 0, self.capacity, seed=seed)
        older = keras.random.uniform((number,), seed=seed) < 0.5
        count = ops.convert_to_tensor(self.count)

        def show(index, state):
            photos, shown = state
            new = ops.take(shown, index, axis=0)
            photos, see = exchange(photos, count + index, new, places[index], older[index])
            return photos, put(shown, index, see)

        state = ops.convert_to_tensor(self.photos), fresh
        photos, shown = ops.fori_loop(0, number, show, state)
        self.photos.assign(photos)
        self.count.assign(ops.minimum(count + number, self.capacity))
        return devices.own(shown)

    def get_config(self):
        return {**super().get_config(), "capacity": self.capacity}


def half(photos) -> int:
    """Half of a batch's size.

    Raises:
        ValueError: the batch is odd (when it is traced; an unknown size is taken for even).
    """
    if photos.shape[0] is not None and photos.shape[0] % 2:
        raise ValueError(
            f"a batch of {photos.shape[0]} photos cannot be halved into masked and complete ones: "
            "choose an even batch size, 2 or more"
        )
    return ops.shape(photos)[0] // 2


def unpaired(masked, complete):
    """Take masked photos of one half of a batch, complete ones of the other.

    Args:
        masked, complete: `(2n, S, S, 3)`; row by row, the same photo with and without its holes.

    Returns:
        the first n masked photos and the last n complete ones, each `(n, S, S, 3)`: no masked photo
        meets the complete one it was made of.

    Raises:
        ValueError: the batch is odd.
    """
    n = half(complete)
    return masked[:n], complete[n:]


def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    """How far photos are from themselves, there and back (equation 2), in the paper's units.

    Args:
        distance: of truth and prediction, a number; the paper's is the mean absolute error.
        masked: photos of domain A, `(B, S, S, 3)` in [0, 1].
        complete: photos of domain B, likewise.
        guess: what `to_complete` made of `masked`.
        hidden: what `to_masked` made of `complete`.
        to_complete, to_masked: the generators, photo -> photo.

    Returns:
        both distances' sum, of photos in [-1, 1].
    """
    # [-1, 1] is twice as wide as [0, 1]: so is a distance in it.
    return 2 * (distance(masked, to_masked(guess)) + distance(complete, to_complete(hidden)))


def identity_loss(distance, masked, complete, to_complete, to_masked):
    """How much a generator changes what needs no change (section 5.2), in the paper's units.

    Args:
        distance: of truth and prediction, a number; the paper's is the mean absolute error.
        masked: photos of domain A, `(B, S, S, 3)` in [0, 1].
        complete: photos of domain B, likewise.
        to_complete, to_masked: the generators, photo -> photo.

    Returns:
        both distances' sum, of photos in [-1, 1].
    """
    return 2 * (distance(masked, to_masked(masked)) + distance(complete, to_complete(complete)))


@keras.saving.register_keras_serializable("recon")
class CycleGAN(blocks.Completer):
    """Two generators and two judges, trained together by plain `fit`, without pairs.

    Of a batch of 2n pairs the first n give their masked photos, the last n their complete ones:
    no masked photo meets the complete one it was made of. All four networks move at once, under
    one Adam (the paper alternates); `compute_loss` keeps the players apart.

    The known pixels are pasted over a guess only when photos are completed: in training, to keep
    them is one of the things to be learned, by the cycle and identity terms.

    Training, the first half of a batch alone is learned from: the guesses at the others are for
    the RMSE. In validation all terms are computed on the whole batch, without the pools.

    Args:
        size: height and width, a power of two from 32 to 512.
        filters, residuals: the generators' channels after the first convolution, and blocks.
        judge_filters: the judges' channels after the first convolution.
        objective: the adversarial loss: `lsgan` (the paper), `bce` or `hinge`.
        cycle_weight, identity_weight: of these terms in the paper's units, [-1, 1].
        pool: past fakes that each judge is reminded of.
    """

    def __init__(
        self,
        size=256,
        filters=64,
        residuals=9,
        judge_filters=64,
        objective="lsgan",
        cycle_weight=10.0,
        identity_weight=5.0,
        pool=50,
        **kwargs,
    ):
        settings = {
            "size": size,
            "filters": filters,
            "residuals": residuals,
            "judge_filters": judge_filters,
            "objective": objective,
            "cycle_weight": cycle_weight,
            "identity_weight": identity_weight,
            "pool": pool,
        }
        super().__init__(settings, **kwargs)
        self.to_complete = generator(size, filters, residuals, "to_complete")  # the paper's G
        self.to_masked = generator(size, filters, residuals, "to_masked")  # its F
        self.judge_complete = discriminator(size, judge_filters, "judge_complete")
        self.judge_masked = discriminator(size, judge_filters, "judge_masked")
        self.pool_complete = PhotoPool(pool, name="pool_complete")
        self.pool_masked = PhotoPool(pool, name="pool_masked")
        for kept in (self.pool_complete, self.pool_masked):
            kept.build((None, size, size, 3))  # a checkpoint needs a place to be loaded to
        self.adversarial = losses.AdversarialLoss(objective)
        self.l1 = keras.losses.MeanAbsoluteError()
        # what every term counts for; the judges' loss is halved already, by AdversarialLoss
        self.weight = {
            "cycle": cycle_weight,
            "identity": identity_weight,
            "persuade": 1.0,
            "judge": 1.0,
        }
        self.means = {name: keras.metrics.Mean(name) for name in self.weight}

    def call(self, inputs, training=False):
        masked = inputs["masked"]
        if not training:
            return self.to_complete(masked)  # (B, S, S, 3) in [0, 1]
        n = half(masked)
        learned = self.to_complete(masked[:n], training=True)
        watched = ops.stop_gradient(self.to_complete(masked[n:], training=True))
        return ops.concatenate([learned, watched])  # (B, S, S, 3) in [0, 1]

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        masked, complete, guess = x["masked"], y, y_pred
        if training:  # unpaired: masked photos of one half, complete ones of the other
            masked, complete = unpaired(masked, complete)
            guess = guess[: half(y)]
        terms = self.measure(masked, complete, guess, training)
        for name, term in terms.items():
            self.means[name].update_state(devices.unscaled(term))
        return sum(self.weight[name] * term for name, term in terms.items())

    def measure(self, masked, complete, guess, training) -> dict:
        """Every term of the loss, not yet weighted.

        Args:
            masked: photos of domain A, `(B, S, S, 3)` in [0, 1].
            complete: photos of domain B, likewise; as many, but none belongs to another.
            guess: what `to_complete` makes of `masked`.
            training: whether judges see what the pools show, and pools take the fakes in.
        """
        generators = [partial(g, training=training) for g in (self.to_complete, self.to_masked)]
        hidden = self.to_masked(complete, training=training)
        cycle = cycle_loss(self.l1, masked, complete, guess, hidden, *generators)
        identity = identity_loss(self.l1, masked, complete, *generators)
        persuade = judge = 0.0
        for network, pool, real, fake in (
            (self.judge_complete, self.pool_complete, complete, guess),
            (self.judge_masked, self.pool_masked, masked, hidden),
        ):
            # The generators learn through the judges, whose weights stand still.
            persuade += self.adversarial.generator(call_frozen(network, fake, training))
            # The judges learn from what they are shown: no gradient leads back to a generator.
            fake = ops.stop_gradient(fake)
            shown = pool(fake) if training else fake
            judge += self.adversarial.discriminator(
                network(real, training=training), network(shown, training=training)
            )
        return {"cycle": cycle, "identity": identity, "persuade": persuade, "judge": judge}

    def count_params(self):
        """How many weights its four networks have; what the pools hold are photos."""
        networks = self.to_complete, self.to_masked, self.judge_complete, self.judge_masked
        return sum(network.count_params() for network in networks)


def recipe(size: int) -> dict:
    """Settings that train it well: the paper's from 128 on, a CPU's for smaller photos."""
    paper = {
        "epochs": 200,
        "batch_size": 2,  # one masked photo and one complete one
        "learning_rate": 2e-4,
        "beta_1": 0.5,
        "decay_from": 0.5,
        "ema": 0.0,
        "objective": "lsgan",
    }
    if size >= 128:
        return paper
    return paper | {"epochs": 4, "batch_size": 8, "learning_rate": 1e-3}


def build(size: int, objective: str) -> CycleGAN:
    """A model that has learned nothing yet: the paper's from 128 on, a CPU's for smaller photos.

    The small one has 0.9 M weights; a step of 8 photos at size 64 costs 0.29 CPU-seconds in 16
    bits. What it came to on the drawn photos: it keeps what is known, blurred, and it does not
    leave the boxes black, it paints fur and leaves into them, which fit no animal; its inverse cuts
    black boxes out where it likes. No term asks for the content that was there, and the figures
    show it: RMSE 0.295 on the test photos, where the mean of the known pixels has 0.246.
    """
    if size >= 128:
        return CycleGAN(size, residuals=9 if size >= 256 else 6, objective=objective)
    return CycleGAN(size, filters=16, residuals=3, judge_filters=16, objective=objective)
