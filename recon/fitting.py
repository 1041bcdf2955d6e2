"""What `fit` needs beside a model: the optimiser, and callbacks that make a run resumable."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from keras import ops

from recon import runs
from recon.errors import BadInput


@keras.saving.register_keras_serializable("recon")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Constant first, then linearly down to 0 (pix2pix: constant for one half of its epochs).

    Args:
        start: the rate at the first step.
        decay_from: part of the steps, from 0 to 1, that keep it.
        steps: steps of the whole training.
    """

    def __init__(self, start: float, decay_from: float, steps: int):
        self.start, self.decay_from, self.steps = start, decay_from, steps

    def __call__(self, step):
        done = ops.cast(step, "float32") / self.steps
        left = (1 - done) / max(1 - self.decay_from, 1e-9)
        return self.start * ops.clip(left, 0.0, 1.0)

    def get_config(self):
        return {"start": self.start, "decay_from": self.decay_from, "steps": self.steps}


def orthogonalise(matrix, steps: int = 4):
    """Set all singular values of a matrix to about 1, by products of matrices alone.

    Newton and Schulz's iteration with the coefficients of Jordan et al. (2024), which lift small
    singular values fast and leave all between about 0.7 and 1.2.

    Args:
        matrix: `(R, C)`, not zero.
        steps: how often to iterate; after 4, singular values from 1 % of the largest on are there.

    Returns:
        `(R, C)`, in the type that came.
    """
    if matrix.shape[0] < matrix.shape[1]:
        return ops.transpose(orthogonalise(ops.transpose(matrix), steps))
    length = ops.norm(ops.cast(matrix, "float32"))  # a sum of many, too many for 16 bits
    matrix = matrix / ops.cast(length + 1e-12, matrix.dtype)  # no singular value above 1
    for _ in range(steps):
        square = ops.matmul(ops.transpose(matrix), matrix)  # (C, C), the smaller one
        polynomial = -4.7750 * square + 2.0315 * ops.matmul(square, square)
        matrix = 3.4445 * matrix + ops.matmul(matrix, polynomial)
    return matrix


@keras.saving.register_keras_serializable("recon")
class Adam(keras.optimizers.Adam):
    """Keras's Adam, in one pass over the memory of a weight and its moments where there is one.

    Keras's operations read and write each of them several times: a fifth of what a step of pix2pix
    with one photo costs a CPU. TensorFlow has one operation for it, by the same formula (Kingma and
    Ba, 2015, https://arxiv.org/abs/1412.6980, end of section 2). XLA, which compiles for JAX, makes
    one pass of Keras's by itself.
    """

    def update_step(self, gradient, variable, learning_rate):
        if keras.backend.backend() != "tensorflow":
            return super().update_step(gradient, variable, learning_rate)
        import tensorflow as tf

        if self.amsgrad or not isinstance(gradient, tf.Tensor):  # of an embedding: a few rows
            return super().update_step(gradient, variable, learning_rate)
        index, kind = self._get_variable_index(variable), variable.dtype
        step = tf.cast(self.iterations + 1, kind)
        beta_1, beta_2 = (tf.cast(beta, kind) for beta in (self.beta_1, self.beta_2))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            lr=tf.cast(learning_rate, kind),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, kind),
            grad=tf.cast(gradient, kind),
        )


@keras.saving.register_keras_serializable("recon")
class Muon(Adam):
    """Adam, but wide kernels move by an orthogonal matrix: no direction is left behind.

    The momentum of a kernel `(h, w, C, D)`, as a matrix `(h·w·C, D)`, is made orthogonal and scaled
    to Adam's usual length (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon; Liu et
    al., 2025, https://arxiv.org/abs/2502.16982, equation 4), so that both take one learning rate.
    Biases, scales, and the kernels where colours come in and go out are Adam's.

    Keras has a Muon too: it leaves convolutions to Adam, and its private parts, which one would
    have to replace, differ between versions.
    """

    LEAST = 64  # channels in and out from which a kernel is wide

    def update_step(self, gradient, variable, learning_rate):
        if len(variable.shape) != 4 or min(variable.shape[-2:]) < self.LEAST:
            return super().update_step(gradient, variable, learning_rate)
        mean = self._momentums[self._get_variable_index(variable)]
        self.assign_add(mean, (1 - self.beta_1) * (gradient - mean))
        ahead = self.beta_1 * mean + (1 - self.beta_1) * gradient  # Nesterov's
        matrix = ops.reshape(ahead, (-1, variable.shape[-1]))
        # Half the bits do: what is computed only has to be about orthogonal.
        low = keras.mixed_precision.dtype_policy().compute_dtype == "bfloat16"
        matrix = ops.cast(orthogonalise(ops.cast(matrix, "bfloat16") if low else matrix), "float32")
        length = 0.2 * max(matrix.shape) ** 0.5  # root mean square 0.2 an entry, as Adam's steps
        step = ops.cast(learning_rate, "float32") * length * matrix
        self.assign_sub(variable, ops.reshape(step, variable.shape))


def optimizer(
    name: str,
    rate: float,
    beta_1: float,
    decay_from: float,
    ema: float,
    steps: int,
    weight_decay: float = 0.0,
) -> keras.optimizers.Optimizer:
    """Adam or Muon, with a rate that may fall and a moving average of the weights.

    Args:
        name: adam or muon.
        rate: learning rate at the start.
        beta_1: momentum of the gradient's mean; GANs take 0.5 (Radford et al., 2016, section 4).
        decay_from: part of the training after which it falls; 1 keeps it.
        ema: momentum of a moving average of the weights; 0 keeps none.
        steps: steps of the whole training.
        weight_decay: by which part of the learning rate all weights shrink at every step
            (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101).
    """
    kind, beta_2 = {"adam": (Adam, 0.999), "muon": (Muon, 0.99)}[name]
    return kind(
        rate if decay_from == 1 else LinearDecay(rate, decay_from, steps),
        beta_1=beta_1,
        beta_2=beta_2,
        weight_decay=weight_decay or None,
        use_ema=ema > 0,
        ema_momentum=ema or 0.99,  # not used without use_ema, but Keras wants it below 1
    )


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Within the block, the weights are their moving averages, if the optimiser keeps any."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # float16's wrapper
    if not optimizer.use_ema:
        yield
        return
    averages = optimizer._model_variables_moving_average
    own = [ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    for variable, average in zip(model.trainable_variables, averages, strict=True):
        # A copy: JAX would let both share one array, and evaluation gives its arrays away.
        variable.assign(ops.convert_to_numpy(average))
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)


class ValidateAveraged(keras.callbacks.Callback):
    """Validate with the averaged weights, then train on with the model's own.

    Keras's `SwapEMAWeights` swaps by adding and subtracting, which rounds the weights.
    """

    def on_test_begin(self, logs=None):
        self.block = averaged(self.model)
        self.block.__enter__()

    def on_test_end(self, logs=None):
        self.block.__exit__(None, None, None)


class Reseed(keras.callbacks.Callback):
    """Make the randomness inside the model a pure function of (seed, epoch).

    Keras saves no state of its seed generators: a resumed run would draw other dropout masks.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        for index, state in enumerate(seed_states(self.model)):
            drawn = np.random.default_rng([self.seed, epoch, index]).integers(0, 2**31, 2)
            state.assign(drawn.astype("uint32"))


def seed_states(model: keras.Model) -> list[keras.Variable]:
    """State of every seed generator in a model, dropout's for example, in its layers' order."""
    return [v for v in model.non_trainable_variables if v.path.endswith("seed_generator_state")]


class Diverged(BadInput):
    """Training came to a loss that is no number."""


class StopAtNaN(keras.callbacks.Callback):
    """End the run at the first loss that is no number, before anything bad is saved.

    A step's loss is that of the weights before it; the epoch's last step shows in validation.

    Args:
        out: the run's folder, to say which checkpoint is there.
    """

    def __init__(self, out: Path):
        super().__init__()
        self.out = out

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self.check("loss", logs["loss"], f"at step {batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        self.check("validation loss", logs.get("val_loss", 0.0), "at the end")

    def check(self, name: str, value: float, when: str) -> None:
        """Raise Diverged if a loss is no number."""
        if math.isfinite(value):
            return
        saved = runs.checkpoints(self.out)
        kept = f"the last good weights are in {saved[-1]}" if saved else "no epoch was finished"
        raise Diverged(
            f"the {name} is {value} {when} of epoch {self.epoch + 1}; {kept}; "
            "begin a new run with a lower --learning-rate, or with --precision float32"
        )


class StopAtCtrlC(keras.callbacks.Callback):
    """End the run between two steps when the user presses Ctrl-C, within `with`.

    Left to itself, Python raises KeyboardInterrupt wherever it happens to be; inside one of
    TensorFlow's calls back into Python that is lost, or ends the process. A second Ctrl-C does not
    wait for the step.
    """

    def __enter__(self):
        self.asked = False
        self.before = signal.getsignal(signal.SIGINT)
        # Other handlers have their reasons (in the background Ctrl-C is ignored), and only the
        # main thread may set one.
        self.ours = (
            self.before is signal.default_int_handler
            and threading.current_thread() is threading.main_thread()
        )
        if self.ours:
            signal.signal(signal.SIGINT, self.ask)
        return self

    def __exit__(self, *error):
        if self.ours:
            signal.signal(signal.SIGINT, self.before)

    def ask(self, *_):
        self.asked = True
        signal.signal(signal.SIGINT, self.before)

    def stop_if_asked(self, *_, **__):
        if self.asked:
            raise KeyboardInterrupt

    on_train_batch_end = on_test_batch_end = stop_if_asked


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras's, of epochs alone: it prepares a summary of every step too, and throws it away."""

    def on_train_batch_end(self, batch, logs=None):
        pass


class Clock(keras.callbacks.Callback):
    """Keep count of the seconds of a training, over all the sessions it takes, in clock.json."""

    def __init__(self, out: Path):
        super().__init__()
        self.out = out

    def on_train_begin(self, logs=None):
        before = runs.read_clock(self.out)
        self.start = {
            "seconds": time.perf_counter() - before["seconds"],
            "cpu_seconds": time.process_time() - before["cpu_seconds"],
        }

    def on_epoch_end(self, epoch, logs=None):
        now = {"seconds": time.perf_counter(), "cpu_seconds": time.process_time()}
        clock = {name: now[name] - start for name, start in self.start.items()}
        runs.write_json(self.out / runs.CLOCK, clock)


class Record(keras.callbacks.Callback):
    """After every epoch: a row of history.csv, a picture, a checkpoint.

    The checkpoint comes last: after an interruption, what was written past it is dropped.

    Args:
        out: the run's folder.
        picture: writes a picture of the model's present work to a path.
    """

    def __init__(self, out: Path, picture: Callable[[Path], None]):
        super().__init__()
        self.out, self.picture = out, picture

    def on_epoch_end(self, epoch, logs=None):
        row = pd.DataFrame([{"epoch": epoch + 1, **logs}])
        before = runs.read_history(self.out, epoch)
        runs.write_history(self.out, pd.concat([before, row]) if len(before) else row)
        path = self.out / runs.PROGRESS / f"{epoch + 1:05}.png"
        path.parent.mkdir(exist_ok=True)
        with averaged(self.model):
            self.picture(path)
        runs.save_checkpoint(self.out, self.model, epoch + 1)
