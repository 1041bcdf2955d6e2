"""Several devices, of one machine or of several, share a training: every batch is divided.

On JAX a program sees whole batches and the compiler divides them (`keras.distribution`). With
TensorFlow every device runs a copy of the step, a replica, on its own part of the batch, and what
the replicas find is added up (`tf.distribute`). A model then has to mind the others: what it says
of its own part is not said of the batch. The functions in the lower half of this module do that;
where there are no others they change nothing.
"""

import atexit
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from recon.errors import BadInput

# Who shares a training


class Team(NamedTuple):
    """Who shares a training.

    Args:
        devices: how many each machine has.
        machines: how many, each with a process of its own.
        machine: this one's number, from 0; number 0 is the chief, which writes the run's folder.
        kind: of device, as it is told: `GPU` or `virtual CPU device`.
        strategy: what makes them work together: a `tf.distribute.Strategy`, a
            `keras.distribution.DataParallel`, or None for one device alone.
    """

    devices: int = 1
    machines: int = 1
    machine: int = 0
    kind: str = "device"
    strategy: Any = None

    @property
    def size(self) -> int:
        """How many devices there are in all."""
        return self.devices * self.machines

    @property
    def is_chief(self) -> bool:
        """Whether this machine writes the run's folder."""
        return self.machine == 0

    @property
    def replicated(self) -> bool:
        """Whether devices run copies of the step, as TensorFlow's do."""
        return self.size > 1 and keras.backend.backend() == "tensorflow"

    def scope(self) -> AbstractContextManager:
        """Where a model is to be built, compiled and trained."""
        return self.strategy.scope() if self.strategy else nullcontext()

    def unit(self, halves: bool) -> int:
        """What a batch must be a multiple of; twice as much if a model treats its halves apart."""
        return self.size * (2 if halves and self.size > 1 else 1)

    def check_batch(self, batch_size: int, halves: bool) -> None:
        """See that the devices can share a batch evenly.

        Raises:
            BadInput: they cannot.
        """
        unit = self.unit(halves)
        if batch_size % unit:
            apart = ", half by half" if halves else ""
            below = batch_size - batch_size % unit
            raise BadInput(
                f"--batch-size {batch_size}: does not divide among {self.size} devices{apart}; "
                f"take {f'{below} or ' if below else ''}{below + unit}"
            )

    def rows(self, batch_size: int, halves: bool) -> np.ndarray:
        """Which rows of every whole batch this machine reads, in the order in which it does.

        Together the machines read each row once. A model that treats the halves of a batch apart
        gets, on every replica, as much of the one as of the other.

        Args:
            batch_size: of the whole batch, a multiple of `unit(halves)`.
            halves: whether the model does.

        Returns:
            int `(batch_size / machines,)`.
        """
        rows = np.arange(batch_size)
        if halves and self.replicated:  # (half, replica, row) -> (replica, half, row)
            rows = rows.reshape(2, self.size, -1).swapaxes(0, 1).ravel()
        return rows.reshape(self.machines, -1)[self.machine]

    def shared(self, count: int, batch_size: int, halves: bool) -> np.ndarray:
        """Which of `count` rows in their order, batch after batch, this machine reads.

        What the devices cannot share evenly, less than `unit(halves)` rows at the end, is left out.

        Raises:
            BadInput: that is all there is.
        """
        unit = self.unit(halves)
        kept = count - count % unit
        if not kept:
            raise BadInput(
                f"--devices: {self.size} devices cannot share {count} validation photos; "
                f"take fewer devices, or {unit} photos or more"
            )
        starts = range(0, kept, batch_size)
        return np.concatenate(
            [start + self.rows(min(batch_size, kept - start), halves) for start in starts]
        )

    def distributed(self, dataset):
        """What `fit` takes for this machine's batches.

        Args:
            dataset: of tf.data; each of its batches divides among this machine's devices.
        """
        if not self.replicated:
            return dataset
        import tensorflow as tf

        def parts(batch):  # one for each device, where Keras would fill one after the other
            return tf.data.Dataset.from_tensor_slices(
                {name: tf.stack(tf.split(rows, self.devices)) for name, rows in batch.items()}
            )

        divided = dataset.flat_map(parts).prefetch(tf.data.AUTOTUNE)
        return self.strategy.distribute_datasets_from_function(lambda context: divided)

    @contextmanager
    def folder(self, out: Path) -> Iterator[Path]:
        """Where this machine writes: the run's folder, or one that goes when the training ends.

        All machines do what the chief does, because reading what they share is work that they
        share; the others' files are nobody's.
        """
        if self.is_chief:
            yield out
            return
        with tempfile.TemporaryDirectory(prefix="recon-") as scratch:
            yield Path(scratch)

    @contextmanager
    def together(self, advice: str) -> Iterator[None]:
        """Within the block no machine goes on without the others.

        Args:
            advice: what to do when one is gone.

        Raises:
            BadInput: another machine is gone.
        """
        try:
            yield
        except BaseException as error:
            if self.machines > 1:
                # Their libraries would wait for each other before they end.
                atexit.register(end_at_once, 130 if isinstance(error, KeyboardInterrupt) else 2)
                if is_lost(error):
                    raise BadInput(f"another machine is gone; {advice}, on all of them") from None
            raise

    def part(self) -> None:
        """The machines need each other no more: the chief has some work left."""
        if self.machines > 1 and keras.backend.backend() == "jax":
            import jax

            jax.distributed.shutdown()

    def told(self) -> str:
        """One line: what shares the training."""
        plural = "s" if self.devices > 1 else ""
        one = f"{self.devices} {self.kind}{plural}"
        if self.machines > 1:
            return f"{one} on each of {self.machines} machines, which share every batch"
        slow = ", to try it out: no faster" if self.kind.startswith("virtual") else ""
        return f"{one} share every batch{slow}"


ALONE = Team()  # one device, as a training has it unless more are asked for


def start(
    devices: int | None = None, machines: list[str] | None = None, machine: int | None = None
) -> Team:
    """Find the devices and start the backend on them: before anything else starts it.

    The best kind there is: GPUs; on a machine without one, its CPU as so many devices, which is to
    try things out and not faster.

    Args:
        devices: how many of each machine; None is one, and on one machine leaves all as it is.
        machines: their addresses, `host:port`, the chief's first; None: as TF_CONFIG says, where
            that is set, else this one alone.
        machine: which of them this is, from 0.

    Raises:
        BadInput: not so many, machines that are not well named, or a backend that cannot.
    """
    if devices is not None and devices < 1:
        raise BadInput(f"--devices {devices}: must be 1 or more")
    addresses, number = cluster(machines, machine)
    if len(addresses) == 1 and devices in (None, 1):
        return ALONE
    backend, count = keras.backend.backend(), devices or 1
    if backend not in ("tensorflow", "jax"):
        raise BadInput(f"--devices {count}: {backend} works on one; take tensorflow or jax")
    try:
        if len(addresses) > 1:
            print(f"machine {number} of {len(addresses)}: waiting for the others", flush=True)
            together = tensorflow_machines if backend == "tensorflow" else jax_machines
            return together(count, addresses, number)
        return tensorflow_devices(count) if backend == "tensorflow" else jax_devices(count)
    except RuntimeError as error:
        if "initialized" not in str(error):
            raise
        raise BadInput(
            f"--devices {count}: {backend} runs already, with the devices it found; "
            "start a new Python"
        ) from None


def cluster(machines: list[str] | None, machine: int | None) -> tuple[list[str], int]:
    """All machines' addresses, and which of them this is; from TF_CONFIG where nothing is said.

    Raises:
        BadInput: an address that is none, a number that is no machine's.
    """
    if machines is None and machine is None and os.environ.get("TF_CONFIG"):
        try:
            config = json.loads(os.environ["TF_CONFIG"])
            machines, machine = config["cluster"]["worker"], int(config["task"]["index"])
            if config["task"]["type"] != "worker" or list(config["cluster"]) != ["worker"]:
                raise ValueError("all are to be workers; number 0 is the chief")
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"TF_CONFIG: names no workers and a task among them ({error})") from None
    if machines is None and machine is None:
        return [""], 0
    if not machines:
        raise BadInput(f"--machine {machine}: name all with --machines HOST:PORT HOST:PORT")
    for address in machines:
        if not re.fullmatch(r"\S+:\d+", address):
            raise BadInput(f"--machines {address}: not a HOST:PORT")
    if machine is None:
        raise BadInput(
            f"--machines: say with --machine which one this is, 0 to {len(machines) - 1}"
        )
    if not 0 <= machine < len(machines):
        raise BadInput(f"--machine {machine}: there are {len(machines)}, numbered from 0")
    return list(machines), machine


def check_count(devices: int, found: int) -> None:
    """Raise BadInput where there are not so many GPUs."""
    if devices > found:
        has = "1 GPU" if found == 1 else f"{found} GPUs"
        raise BadInput(f"--devices {devices}: this machine has {has}; name so many or fewer")


def tensorflow_devices(devices: int) -> Team:
    """`start` on TensorFlow and one machine: a `MirroredStrategy`."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        check_count(devices, len(gpus))
        names = [f"GPU:{number}" for number in range(devices)]
        return Team(devices, kind="GPU", strategy=tf.distribute.MirroredStrategy(names))
    (cpu,) = tf.config.list_physical_devices("CPU")
    one = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [one] * devices)
    names = [f"CPU:{number}" for number in range(devices)]
    strategy = tf.distribute.MirroredStrategy(names)
    return Team(devices, kind="virtual CPU device", strategy=strategy)


def tensorflow_machines(devices: int, addresses: list[str], machine: int) -> Team:
    """`start` on TensorFlow and several machines: a `MultiWorkerMirroredStrategy`."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        check_count(devices, len(gpus))
        tf.config.set_visible_devices(gpus[:devices], "GPU")
    elif devices > 1:
        raise BadInput(
            f"--devices {devices}: a machine without GPUs is one device among several machines "
            "with TensorFlow; leave it out"
        )
    task = {"type": "worker", "index": machine}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    return Team(devices, len(addresses), machine, "GPU" if gpus else "CPU", strategy)


def jax_devices(devices: int) -> Team:
    """`start` on JAX and one machine: a `DataParallel` over a mesh of one axis."""
    import jax

    jax.config.update("jax_num_cpu_devices", devices)
    names = keras.distribution.list_devices()
    virtual = names[0].startswith("cpu")
    if not virtual:
        check_count(devices, len(names))
    strategy = keras.distribution.DataParallel(devices=names[:devices])
    return Team(devices, kind="virtual CPU device" if virtual else "GPU", strategy=strategy)


def jax_machines(devices: int, addresses: list[str], machine: int) -> Team:
    """`start` on JAX and several machines: a `DataParallel` over the devices of all."""
    import jax

    jax.config.update("jax_num_cpu_devices", devices)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(addresses[0], len(addresses), machine, range(devices))
    found = len(jax.local_devices())
    check_count(devices, found)
    strategy = keras.distribution.DataParallel(auto_shard_dataset=False)  # each reads its own part
    kind = "CPU" if jax.default_backend() == "cpu" else "GPU"
    return Team(devices, len(addresses), machine, kind, strategy)


def prepare(model: keras.Model, team: Team) -> None:
    """Make a built model ready to be trained by replicas, within `team.scope()`."""
    if not team.replicated:
        return
    # Keras would average a first batch over all machines, to build the model, and cannot; without
    # a strategy of its own the model takes that of the scope, and this one is built.
    model._distribute_strategy = None
    model.optimizer.build(model.trainable_variables)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True  # statistics are those of the whole batch
        if isinstance(layer, keras.Model):
            layer.built = True  # its networks are: no replica has to try, which it cannot


def is_lost(error: BaseException) -> bool:
    """Whether an error is what a backend says when another machine is gone."""
    name, words = type(error).__name__, str(error)
    if name in ("UnavailableError", "AbortedError", "CancelledError", "DeadlineExceededError"):
        return True  # TensorFlow's
    return name in ("JaxRuntimeError", "InternalError") and (
        "ollective" in words or "Gloo" in words
    )


def end_at_once(code: int) -> None:
    """End the process now."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


# What a model has to mind within a step


def replica() -> Any:
    """TensorFlow's replica context within a step that replicas share; None everywhere else."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context and context.num_replicas_in_sync > 1 else None


def unscaled(term):
    """A term of a loss as it is of this replica's photos, for a metric.

    A `keras.losses` object divides by the number of replicas, because their gradients are added.
    """
    here = replica()
    return term * here.num_replicas_in_sync if here else term


def reported(logs: dict) -> dict:
    """A step's metrics in the shape in which Keras takes them from the replicas.

    Of several machines' it takes the mean along their first axis, which a number has not.
    """
    here = replica()
    if here is None or here.strategy.cluster_resolver is None:  # one machine
        return logs
    return {name: ops.expand_dims(value, 0) for name, value in logs.items()}


def share(mask):
    """How much this replica's photos miss, over how much photos of the whole batch do.

    A mean over missing pixels, times this: then the replicas' mean is the mean over all missing
    pixels of the batch, and not each replica's counting the same.

    Args:
        mask: `(B, H, W, 1)`, 1 = missing; B is the same on every replica.

    Returns:
        a number; 1 where no other replica is.
    """
    here = replica()
    if here is None:
        return 1.0
    missing = ops.mean(mask)
    return ops.divide_no_nan(missing, here.all_reduce("MEAN", missing))


def whole(values):
    """Rows of all replicas, one replica's after the other's: `(B, ...)` -> `(replicas·B, ...)`.

    No gradient goes through.
    """
    here = replica()
    values = ops.stop_gradient(values)
    return here.all_gather(values, axis=0) if here else values


def own(values):
    """This replica's rows of what is for the whole batch: `(replicas·B, ...)` -> `(B, ...)`."""
    here = replica()
    if here is None:
        return values
    count = ops.shape(values)[0] // here.num_replicas_in_sync
    start = here.replica_id_in_sync_group * count
    return values[start : start + count]


def drawn(draw: Callable[[tuple], Any], shape: tuple, halves: bool = False):
    """Draw for the photos of the whole batch, and keep this replica's rows.

    So what is drawn does not depend on how many devices share a batch; and no two replicas draw
    the same for their photos, which they would, each by itself.

    Args:
        draw: a shape -> numbers of that shape.
        shape: `(B, ...)`, of what this replica's photos need.
        halves: whether these are of both halves of the batch, half of them of each.

    Returns:
        numbers of that shape.
    """
    here = replica()
    if here is None:
        return draw(shape)
    count, *others = shape
    replicas, parts = here.num_replicas_in_sync, 2 if halves else 1
    everyone = draw((count * replicas, *others))
    length = count // parts  # rows of each half that are this replica's
    starts = ops.arange(parts) * length * replicas + here.replica_id_in_sync_group * length
    places = ops.reshape(starts[:, None] + ops.arange(length), (-1,))  # (B,)
    return ops.take(everyone, places, axis=0)
