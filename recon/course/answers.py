"""Answers judged outside the notebook: taken out of it, each lesson in a process of its own.

Of a notebook only imports, functions, classes and assignments of plain values are executed, in
order: enough for its answers, and nothing is trained or drawn. A blank or a wrong answer is
replaced by the package's function, so that later ones are judged for what they are.
"""

import __future__

import ast
import json
import linecache
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

import recon
from recon.course import folder, notebook, outline
from recon.course.exercise import Exercise, Verdict, judge, of_lesson
from recon.course.folder import Cell, Notebook

# Makers of plain values: quick, and of use to an answer that needs a table or a kernel.
MODULES = ("np", "numpy", "math")
MAKERS = ("dict", "float", "frozenset", "int", "len", "list", "range", "set", "slice", "tuple")

WORKER = (sys.executable, "-m", "recon.course.answers")
IMPORTED = "is the package's own function, imported"
ANSWER = 1 / 4  # of a lesson's time, that a single answer may take
PAUSE = 0.05  # seconds between two looks at a process


# What of a cell is executed -----------------------------------------------------------------


def python_of(source: str) -> str:
    """A cell without IPython's own lines, `%time`, `!ls`, `array?`; line numbers stay.

    Raises:
        SyntaxError: what is left is not Python.
    """
    lines = source.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") and not re.match(r"%%(time|timeit|capture|prun)\b", first):
        return ""  # another language, or a file
    try:
        ast.parse(source)
        return source  # a % at the start of a line can be an operator
    except SyntaxError:
        pass
    pattern = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?\??\s*)$|^(\s*[\w., ]+=\s*)[%!].*$")
    plain = [
        f"{found[1]}pass" if (found := pattern.match(line)) and found[1] is not None
        else f"{found[2]}None" if found
        else line
        for line in lines
    ]  # fmt: skip
    text = "\n".join(plain)
    ast.parse(text)
    return text


def is_plain(value: ast.expr) -> bool:
    """Whether a value can be made at once: it calls nothing but NumPy and makers of values."""
    for node in ast.walk(value):
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom):
            return False
        if isinstance(node, ast.Call):
            root = node.func
            while isinstance(root, ast.Attribute):
                root = root.value
            if not isinstance(root, ast.Name):
                return False
            if root.id not in (MODULES if root is not node.func else MAKERS):
                return False
    return True


def is_kept(node: ast.stmt) -> bool:
    """Whether a statement is executed."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return node.value is not None and is_plain(node.value)
    kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return isinstance(node, kinds)


def statements(source: str) -> list[ast.stmt]:
    """What of a cell is executed.

    Raises:
        SyntaxError: the cell is not Python.
    """
    try:
        return [node for node in ast.parse(python_of(source)).body if is_kept(node)]
    except (ValueError, RecursionError, MemoryError) as error:  # a null character, or too deep
        raise SyntaxError(str(error) or "too deep") from None


def gist(lesson: Notebook) -> list[list[str]]:
    """All of a notebook that its verdicts depend on; a plot or a comment is not in it."""
    found = []
    for cell in lesson.cells:
        if cell.kind != "code":
            continue
        try:
            kept = [ast.dump(node) for node in statements(cell.source)]
        except SyntaxError:
            kept = [cell.source]
        if kept or cell.exercise or cell.check:
            found.append([cell.exercise, cell.check, *kept])
    return found


# In the lesson's own process ----------------------------------------------------------------


class Namespace:
    """A notebook's names, as its cells fill them."""

    def __init__(self):
        module = types.ModuleType("lesson")  # classes look their module up
        sys.modules["lesson"] = module
        self.names = module.__dict__
        self.flags = 0  # `from __future__ import ...` holds for the cells after it
        self.left_out: set[str] = set()  # names whose making was not executed

    def run(self, cell: Cell) -> None:
        """Execute what is kept of a cell; what fails outside an exercise's cell is left out.

        Raises:
            Exception: whatever an exercise's cell raises.
        """
        file = f"<cell {cell.index + 1}>"
        lines = cell.source.splitlines(keepends=True)
        linecache.cache[file] = (len(cell.source), None, lines, file)  # for inspect, and messages
        try:
            whole = ast.parse(python_of(cell.source))
        except SyntaxError:
            if cell.exercise:
                raise
            return
        for node in whole.body:
            if not is_kept(node):
                self.left_out |= made_by(node)
                continue
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                for alias in node.names:
                    self.flags |= getattr(__future__, alias.name).compiler_flag
            try:
                code = compile(ast.Module([node], []), file, "exec", self.flags, dont_inherit=True)
                exec(code, self.names)
            except Exception:
                if cell.exercise and not isinstance(node, ast.Assign | ast.AnnAssign):
                    raise
                self.left_out |= made_by(node)


def made_by(node: ast.AST) -> set[str]:
    """Names that a statement gives a value to."""
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def judged_at(lesson: Notebook) -> dict[int, list[str]]:
    """Cell -> the exercises judged after it: at their check, else where the answer is."""
    places: dict[int, list[str]] = {}
    for id, cell in lesson.answers.items():
        checks = [c.index for c in lesson.cells if c.check == id and c.index > cell.index]
        places.setdefault(checks[0] if checks else cell.index, []).append(id)
    return places


def go_through(lesson: Notebook, left_out: Collection[str], tell: Callable[[dict], None]) -> None:
    """Judge the answers of a notebook, telling each step as it comes.

    Args:
        left_out: exercises that have their verdict, `4.2`, and cells not to execute, `#7`.
        tell: is given what is about to be done, {"cell"} or {"judging"}, and each verdict.
    """
    exercises = {e.id: e for e in of_lesson(lesson.number)}
    tell({"ready": True})
    space = Namespace()
    failed: dict[str, Verdict] = {}
    places = judged_at(lesson)
    for cell in lesson.cells:
        if cell.kind == "code" and f"#{cell.index}" not in left_out:
            tell({"cell": cell.index})
            exercise = exercises.get(cell.exercise)
            if exercise:
                space.names.pop(exercise.name, None)  # an import of that name is no answer
                failed.pop(cell.exercise, None)  # a copy further up does not count
            try:
                space.run(cell)
            except BaseException as error:
                if exercise:
                    failed[cell.exercise] = broken_cell(exercise, error)
        for id in places.get(cell.index, ()):
            exercise = exercises.get(id)
            if exercise is None:
                continue
            if id not in left_out:
                tell({"judging": id})
                answer = space.names.get(exercise.name)
                verdict = failed.get(id) or verdict_on(exercise, answer, space)
                tell(as_json(verdict, IMPORTED if answer is exercise.reference else ""))
                if verdict.state == "right":
                    continue
            space.names[exercise.name] = exercise.reference


def verdict_on(exercise: Exercise, answer, space: Namespace) -> Verdict:
    """An answer's verdict; of one that cannot be judged, what is the matter."""
    if exercise.name not in space.names:
        line = f"no function {exercise.name} in its cell"
        return Verdict(exercise, "wrong", (line,), reset_hint(exercise))
    try:
        verdict = judge(exercise, answer)
    except BaseException as error:  # SystemExit, for one
        return Verdict(exercise, "wrong", (f"raised {type(error).__name__}",), "")
    missing = re.search(r"raised NameError: name '(\w+)'", " ".join(verdict.lines))
    if missing and missing[1] in space.left_out:
        hint = f"Here only functions and plain values count; make {missing[1]} inside the function."
        return Verdict(exercise, "wrong", verdict.lines, hint)
    return verdict


def broken_cell(exercise: Exercise, error: BaseException) -> Verdict:
    """The verdict on an answer whose cell does not even run."""
    if isinstance(error, SyntaxError):
        lines = [f"line {error.lineno}: {error.msg}", *filter(None, [(error.text or "").strip()])]
        return Verdict(exercise, "wrong", tuple(lines), "The cell is not Python yet: run it.")
    first = (str(error).strip().splitlines() or [""])[0]
    line = f"its cell raised {type(error).__name__}: {first}"[:300]
    return Verdict(exercise, "wrong", (line,), "Run the cell in the notebook, and read the error.")


def reset_hint(exercise: Exercise) -> str:
    """What to do where a cell has lost its function."""
    return f"`python -m recon.course reset {exercise.id}` keeps what is there and brings the blank."


def as_json(verdict: Verdict, note: str) -> dict:
    """A verdict as it goes to another process."""
    text = notebook.text(verdict)
    return {"id": verdict.exercise.id, "state": verdict.state, "text": text, "note": note}


def main(path: str, log: str, *left_out: str) -> None:
    """Judge a notebook, and write each step as a line of JSON."""
    with open(log, "a", encoding="utf-8", buffering=1) as file:

        def tell(step: dict) -> None:
            file.write(json.dumps(step) + "\n")

        try:
            go_through(folder.read(Path(path)), left_out, tell)
            tell({"end": True})
        except BaseException as error:
            first = (str(error).strip().splitlines() or [""])[0]
            tell({"failed": f"{type(error).__name__}: {first}"})
    os._exit(0)  # whatever threads an answer has left behind


# From outside ------------------------------------------------------------------------------


class Limits(NamedTuple):
    """What a lesson's process may take: seconds, a single answer a quarter of them; gigabytes."""

    seconds: float = 120
    gigabytes: float = 4


LIMITS = Limits()


class Result(NamedTuple):
    """What became of an answer.

    `text` is what the notebook prints under it; `note` what a teacher might want to know.
    """

    id: str
    state: str  # "right", "blank" or "wrong"
    text: str
    note: str = ""


class Judged(NamedTuple):
    """The results of a lesson by id; `failure` says why those that are not in it are not."""

    results: dict[str, Result]
    failure: str = ""


def untouched(lesson: Notebook) -> bool:
    """Whether no answer has been begun."""
    return all(folder.untouched(cell.source) for cell in lesson.answers.values())


def blank(asked: outline.Asked) -> Result:
    """The result of an exercise that nobody has begun."""
    exercise = types.SimpleNamespace(id=asked.id, name=asked.name, minutes=asked.minutes)
    return Result(asked.id, "blank", notebook.text(Verdict(exercise, "blank")))


def judged(
    lesson: Notebook,
    limits: Limits = LIMITS,
    environment: dict[str, str] | None = None,
    place: Path | None = None,
    stop: threading.Event | None = None,
) -> Judged:
    """Judge the answers of a notebook in a process of its own.

    An answer that does not end, takes too much memory or ends the process is wrong; those after
    it are judged in another process.

    Args:
        environment: of the process; by default this one's.
        place: where it works; by default the notebook's folder.
        stop: ends the process when set, from another thread.
    """
    exercises = outline.asked(lesson.number)
    names = {e.id: e.name for e in exercises}
    if untouched(lesson):
        return Judged({e.id: blank(e) for e in exercises if e.id in lesson.answers})
    results: dict[str, Result] = {}
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix="recon-course-") as temporary:
        copy = Path(temporary) / "lesson.ipynb"
        copy.write_bytes(lesson.text.encode("utf-8"))  # what was read, if it is saved meanwhile
        while True:
            log = Path(temporary) / f"steps-{len(left_out)}"
            command = [*WORKER, str(copy), str(log), *results, *left_out]
            why = watch(command, log, limits, environment, place or lesson.path.parent, stop)
            steps = list(read_steps(log))
            found = [s for s in steps if "id" in s]
            results |= {s["id"]: Result(**s) for s in found}
            last = steps[-1] if steps else {}
            if "end" in last or (stop and stop.is_set()):
                return Judged(results)
            if "failed" in last:
                return Judged(results, last["failed"])
            if found and (why == "all" or last is found[-1]):
                continue  # nobody to blame: the others in a new process
            cell = lesson.cells[last["cell"]] if "cell" in last else None
            id = last.get("judging") or (cell and cell.exercise)
            if id in names and id not in results:
                what, hint = reason(why, limits)
                headline = f"{notebook.MARKS['wrong']} {id} {names[id]}"
                results[id] = Result(id, "wrong", f"{headline}\n  {what}\n  {hint}", what)
            if cell:
                left_out.append(f"#{cell.index}")
            elif "judging" not in last:
                return Judged(results, f"Keras was not loaded: {reason(why, limits)[0]}")


def reason(why: str, limits: Limits) -> tuple[str, str]:
    """What ended a process before its time, and a hint."""
    if why in ("time", "all"):
        seconds = limits.seconds * (ANSWER if why == "time" else 1)
        return (
            f"did not end within {seconds:g} s",
            "A loop whose condition never becomes false? Small photos take no time at all.",
        )
    if why == "memory":
        return (
            f"took more than {limits.gigabytes:g} GB of memory",
            "Look for an array that grows, or one with a size for each pixel of each pixel.",
        )
    return f"ended Python ({why})", "Leave out what ends the program: exit(), os._exit()."


def watch(
    command: list[str],
    log: Path,
    limits: Limits,
    environment: dict[str, str] | None,
    place: Path,
    stop: threading.Event | None,
) -> str:
    """Run a process until it ends, or a limit ends it.

    Returns:
        "time" where a single step took too long, "all" where all of them did, "memory", "stopped",
        or the exit code.
    """
    began = news = time.monotonic()
    size = 0
    process = subprocess.Popen(
        command,
        cwd=place,
        env=surroundings(os.environ if environment is None else environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            try:
                return f"exit code {process.wait(PAUSE)}"
            except subprocess.TimeoutExpired:
                pass
            now = time.monotonic()
            grown = log.stat().st_size if log.exists() else 0
            if grown > size:
                size, news = grown, now
            loaded = size > 0
            if loaded and now - news > limits.seconds * ANSWER:
                return "time"
            if now - began > limits.seconds:
                return "all"
            if memory(process.pid) > limits.gigabytes * 1e9:
                return "memory"
            if stop and stop.is_set():
                return "stopped"
    finally:
        end(process)


def surroundings(environment: dict[str, str]) -> dict[str, str]:
    """An environment in which this very package is found, and no GPU, which may be in use."""
    paths = [str(Path(recon.__file__).parents[1]), *filter(None, [environment.get("PYTHONPATH")])]
    return {
        **environment,
        "PYTHONPATH": os.pathsep.join(paths),
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "MPLBACKEND": "agg",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def family(pid: int) -> Iterator[psutil.Process]:
    """A process and all that it started."""
    with suppress(psutil.Error):
        first = psutil.Process(pid)
        yield first
        yield from first.children(recursive=True)


def memory(pid: int) -> int:
    """Bytes that a process and all that it started hold.

    (RLIMIT_AS would be simpler; TensorFlow reserves address space that it never uses.)
    """
    held = 0
    for process in family(pid):
        with suppress(psutil.Error):
            held += process.memory_info().rss
    return held


def end(process: subprocess.Popen) -> None:
    """End a process and all that it started."""
    for one in list(family(process.pid)) if process.poll() is None else ():
        with suppress(psutil.Error):
            one.kill()
    if hasattr(os, "killpg"):  # also those whose parents have gone
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_steps(log: Path) -> Iterator[dict]:
    """What a process has told; a last line cut short is left out."""
    with suppress(OSError, ValueError):
        for line in log.read_text("utf-8").splitlines():
            yield json.loads(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
