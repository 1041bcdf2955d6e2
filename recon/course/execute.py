"""Running a lesson's notebook in a fresh kernel, cleaned of what differs from run to run."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import ipykernel.kernelspec
import nbformat
import psutil
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from rich.table import Table

import recon
from recon import commandline
from recon.course import progress
from recon.course.lessons import Lesson

SECONDS, GIGABYTES, MEGABYTES = 180, 4.0, 1.5  # budgets of a lesson: time, memory, file
PATIENCE = 1200  # seconds until a cell is given up: on a busy machine all takes longer
ALL_SECONDS = 720  # and of all together


@dataclass
class Run:
    """What became of a run of one lesson; `problems` are lines for who builds it."""

    lesson: Lesson
    seconds: float = 0.0
    cpu_seconds: float = 0.0  # of all cores
    gigabytes: float = 0.0
    text: str = ""  # the executed notebook, as its file
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether every cell ran."""
        return bool(self.text)

    @property
    def own_seconds(self) -> float:
        """What it takes where nothing else runs: waiting for other programs is not its time."""
        return min(self.seconds, self.cpu_seconds)

    @property
    def megabytes(self) -> float:
        """What its file takes."""
        return len(self.text.encode()) / 1e6

    @property
    def exercises(self) -> int:
        """How many blanks the lesson has."""
        return sum(c.kind == "exercise" for c in self.lesson.cells)


class ThisPython(KernelSpecManager):
    """Knows one kernel: the Python that runs now, whatever else is installed as `python3`."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        own = ipykernel.kernelspec
        return KernelSpec(resource_dir=own.RESOURCES, **own.get_kernel_dict())


class Watch(threading.Thread):
    """Watches what this process's children, the kernel and its own, hold at most and compute."""

    def __init__(self):
        super().__init__(daemon=True)
        self.bytes, self.over = 0, threading.Event()
        self.seconds_of: dict[int, float] = {}  # process -> CPU-seconds

    @property
    def cpu_seconds(self) -> float:
        """CPU-seconds of all children so far, those that have ended included."""
        return sum(self.seconds_of.values())

    def run(self) -> None:
        while not self.over.wait(0.25):
            held = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    held += child.memory_info().rss
                    self.seconds_of[child.pid] = sum(child.cpu_times()[:2])  # user and system
                except psutil.Error:  # it ended meanwhile
                    continue
            self.bytes = max(self.bytes, held)

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.join()


def environment(folder: Path) -> dict[str, str]:
    """What a kernel is told: TensorFlow on the CPU's terms, blanks are wrong, pictures inline."""
    package = str(Path(recon.__file__).parents[1])  # the kernel imports this very recon
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "KERAS_BACKEND": "tensorflow",
        "RECON_STRICT": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(paths),
        progress.LOG: str(folder / "verdicts"),
    }


def run(lesson: Lesson, notebook: NotebookNode, root: Path) -> Run:
    """Execute a notebook, in a folder that goes afterwards and lies where the lessons' does."""
    result = Run(lesson)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix=".lesson-", dir=root) as name, Watch() as watch:
        client = NotebookClient(
            notebook,
            km=AsyncKernelManager(kernel_spec_manager=ThisPython()),
            timeout=PATIENCE,
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=True,
        )
        metadata = dict(notebook.metadata)
        started = []
        client.on_cell_start = lambda cell, cell_index: started.append(cell_index)
        try:
            execute(client, Path(name))
        except CellExecutionError as error:
            result.problems.append(where(lesson, notebook, started[-1]) + last_words(error))
        except CellTimeoutError:
            result.problems.append(where(lesson, notebook, started[-1]) + f"ran over {PATIENCE} s")
        except DeadKernelError:
            place = where(lesson, notebook, started[-1]) if started else f"{lesson.name}: "
            result.problems.append(place + "the kernel died, perhaps for want of memory")
        else:
            notebook.metadata = nbformat.from_dict(metadata)  # the kernel's has versions
            paths = {name: ".", f"{root}/": "", sys.prefix: "…"}
            result.notes = clean(lesson, notebook, paths)
            result.text = nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"
    result.seconds = time.perf_counter() - began
    result.cpu_seconds = watch.cpu_seconds
    result.gigabytes = watch.bytes / 1e9
    result.problems += over_budget(result)
    return result


def execute(client: NotebookClient, folder: Path) -> None:
    """Execute in a thread of its own: in the main one nbclient takes Ctrl-C for a dead kernel."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            client.execute,
            cwd=str(folder),
            env=environment(folder),
            stderr=subprocess.DEVNULL,  # the kernel's own, on its transport for example
            cleanup_kc=True,
        )
        try:
            running.result()
        except KeyboardInterrupt:
            for child in psutil.Process().children(recursive=True):
                child.kill()
            raise


def where(lesson: Lesson, notebook: NotebookNode, index: int) -> str:
    """`solutions/01_boxes.py: exercise 1.2: `, for a message."""
    cell = notebook.cells[index]
    ids = list(cell.metadata.get("recon", {}).values())
    lines = cell.source.strip().splitlines()
    place = f"exercise {ids[0]}" if ids else f"cell `{lines[0]}`"
    return f"{lesson.file.parent.name}/{lesson.file.name}: {place}: "


def last_words(error: CellExecutionError) -> str:
    """What a cell's error says: a verdict whole, of others the last line."""
    if error.ename == "WrongAnswer":
        return error.evalue
    last = (error.evalue.strip().splitlines() or [""])[-1]
    return f"{error.ename}: {last}"


def over_budget(result: Run) -> list[str]:
    """A line for each budget that a lesson broke."""
    measured = (
        (result.own_seconds, SECONDS, "seconds"),
        (result.gigabytes, GIGABYTES, "GB of memory"),
        (result.megabytes, MEGABYTES, "MB of notebook"),
    )
    name = f"{result.lesson.file.parent.name}/{result.lesson.file.name}"
    return [
        f"{name}: {came:.1f} {what}, at most {most:g}; make it smaller"
        for came, most, what in measured
        if came > most
    ]


def clean(lesson: Lesson, notebook: NotebookNode, paths: dict[str, str]) -> list[str]:
    """Take from outputs what differs from run to run or from machine to machine.

    Standard error goes (warnings differ between versions), and is told; paths become
    relative, addresses in memory go.
    """
    notes = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            if output.get("name") == "stderr":
                first = output.text.strip().splitlines()[:1]
                notes.append(where(lesson, notebook, index) + f"standard error: {''.join(first)}")
        cell.outputs = [cleaned(o, paths) for o in cell.outputs if o.get("name") != "stderr"]
    return notes


def cleaned(value, paths: dict[str, str]):
    """An output, or a part of one, without paths and addresses."""
    if isinstance(value, dict):
        pictures = ("image/png", "image/jpeg")
        changed = {k: v if k in pictures else cleaned(v, paths) for k, v in value.items()}
        return NotebookNode(changed)
    if isinstance(value, list):
        return [cleaned(v, paths) for v in value]
    if isinstance(value, str):
        for path, short in paths.items():
            value = value.replace(path, short)
        return re.sub(r" at 0x[0-9a-fA-F]+", "", value)
    return value


def report(runs: list[Run]) -> list[str]:
    """Print what the runs took; a line if all together took too long."""
    table = Table("lesson", box=None)
    for name in ("seconds", "CPU s", "peak GB", "file MB", "exercises"):
        table.add_column(name, justify="right")
    for r in runs:
        file = f"{r.megabytes:.2f}" if r.finished else "failed"
        figures = f"{r.seconds:.1f}", f"{r.cpu_seconds:.1f}", f"{r.gigabytes:.2f}"
        table.add_row(r.lesson.name, *figures, file, str(r.exercises))
    seconds = sum(r.seconds for r in runs)
    cpu_seconds = sum(r.cpu_seconds for r in runs)
    if len(runs) > 1:
        table.add_section()
        largest = max(r.gigabytes for r in runs)
        size, count = sum(r.megabytes for r in runs), sum(r.exercises for r in runs)
        figures = f"{seconds:.1f}", f"{cpu_seconds:.1f}", f"{largest:.2f}", f"{size:.2f}"
        table.add_row("together", *figures, str(count))
    commandline.console().print(table)
    for r in runs:
        for note in r.notes:
            print(note)
    own = sum(r.own_seconds for r in runs)
    if own > ALL_SECONDS:
        return [f"all lessons together: {own:.0f} s, at most {ALL_SECONDS}"]
    return []
