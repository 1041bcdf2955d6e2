"""Small changes to the package's functions, each of which an exercise's check should refuse.

python -m tests.course.mutants 4.2 4.3    prints what the checks of 4.2 and 4.3 let pass
python -m tests.course.mutants 4          of all lesson 4

Whatever passes is a hole in the check, or changes nothing that matters: then it is written, with
the reason, into survivors.toml, in the form that this command prints.
"""

import ast
import contextlib
import inspect
import io
import signal
import sys
import textwrap
import tokenize
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import recon  # noqa: F401 (first: TensorFlow then starts quietly)
from recon.course.exercise import Exercise, find, judge, of_lesson

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SECONDS = 2  # of processor time, for one mutant: some never end
SURVIVORS = Path(__file__).parent / "survivors.toml"

OPERATORS = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
OPPOSITES = (ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Is, ast.IsNot)  # flipped is negated
COMMUTATIVE = {"add", "multiply", "minimum", "maximum", "min", "max", "logical_and", "logical_or"}
LEFT_ALONE = (ast.Pass, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)


class Edit(NamedTuple):
    """Bytes `start` to `end` of a source become `text`."""

    start: int
    end: int
    text: str


class Mutant(NamedTuple):
    """A changed function; `text` is `line -> changed line`."""

    text: str
    function: Callable


class Finder(ast.NodeVisitor):
    """Finds what can be changed in a source.

    Docstrings, signatures, annotations, strings and what an error says are left alone. `logic`:
    numbers, signs and arguments are too, for functions that are checks: which examples those
    look at is free.
    """

    def __init__(self, source: bytes, logic: bool = False):
        self.source, self.logic = source, logic
        self.edits: list[Edit] = []
        self.lines = [0]
        for line in source.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        start = self.lines[node.lineno - 1] + node.col_offset
        return start, self.lines[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end].decode()

    def edit(self, start: int, end: int, text: str) -> None:
        self.edits.append(Edit(start, end, text))

    def between(self, left: ast.AST, right: ast.AST, operator: ast.AST) -> None:
        """Change the operator that stands between two nodes."""
        if type(operator) in OPERATORS:
            start, end = self.span(left)[1], self.span(right)[0]
            self.edit(start, end, self.swapped(self.source[start:end].decode(), operator))

    def swapped(self, text: str, operator: ast.AST) -> str:
        return text.replace(*OPERATORS[type(operator)], 1)

    def statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            docstring = isinstance(statement, ast.Expr) and isinstance(
                statement.value, ast.Constant
            )
            if docstring or isinstance(statement, LEFT_ALONE):
                continue
            self.edit(*self.span(statement), "pass")
            self.visit(statement)

    def generic_visit(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("body", "orelse", "finalbody") and isinstance(value, list):
                self.statements(value)
            else:
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        self.visit(child)

    def visit_FunctionDef(self, node):
        self.statements(node.body)

    visit_ClassDef = visit_FunctionDef

    def visit_Raise(self, node):
        pass

    def visit_JoinedStr(self, node):
        pass

    def visit_Assert(self, node):
        self.visit(node.test)

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)

    def visit_Constant(self, node):
        if not self.logic and type(node.value) in (bool, int, float):
            changed = not node.value if isinstance(node.value, bool) else node.value + 1
            self.edit(*self.span(node), repr(changed))

    def visit_BinOp(self, node):
        if not self.logic:
            self.between(node.left, node.right, node.op)
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        if not self.logic:
            self.between(node.target, node.value, node.op)
        self.generic_visit(node)

    def visit_Compare(self, node):
        sides = [node.left, *node.comparators]
        for left, right, operator in zip(sides, sides[1:], node.ops, strict=False):
            self.between(left, right, operator)
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between(left, right, node.op)
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Not) or (isinstance(node.op, ast.USub) and not self.logic):
            self.edit(self.span(node)[0], self.span(node.operand)[0], "")
        self.generic_visit(node)

    def visit_Call(self, node):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if not self.logic and name not in COMMUTATIVE:
            for left, right in zip(node.args, node.args[1:], strict=False):
                if isinstance(left, ast.Starred) or isinstance(right, ast.Starred):
                    continue
                (start, first), (second, end) = self.span(left), self.span(right)
                if self.text(left) != self.text(right):
                    comma = self.source[first:second].decode()
                    self.edit(start, end, self.text(right) + comma + self.text(left))
        self.generic_visit(node)

    def visit_keyword(self, node):
        if node.arg == "axis" and not self.logic and self.text(node.value) != "None":
            self.edit(*self.span(node.value), "None")
        self.generic_visit(node)

    def negate(self, test: ast.expr) -> None:
        flipped = isinstance(test, ast.Compare) and isinstance(test.ops[0], OPPOSITES)
        negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        if not flipped and not negated:
            self.edit(*self.span(test), f"not ({self.text(test)})")

    def visit_If(self, node):
        self.negate(node.test)
        self.generic_visit(node)

    visit_While = visit_If

    def visit_IfExp(self, node):
        self.negate(node.test)
        for part in (node.test, node.body, node.orelse):
            self.visit(part)

    def visit_Lambda(self, node):
        self.visit(node.body)

    def visit_comprehension(self, node):
        for test in node.ifs:
            self.negate(test)
        self.generic_visit(node)


def without_comments(source: str) -> str:
    """A source with its comments gone: they say nothing to a mutant, and change often."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    return "\n".join(lines) + "\n"


def line_text(source: bytes, start: int, end: int) -> str:
    """The whole lines around a place, as one."""
    first, last = source.rfind(b"\n", 0, start) + 1, source.find(b"\n", end)
    return " ".join(source[first:last].decode().split())


def changed_sources(source: str, logic: bool = False) -> Iterator[tuple[str, str]]:
    """`line -> changed line` and changed source, for every change there is."""
    bytes_ = without_comments(textwrap.dedent(source)).encode()
    tree = ast.parse(bytes_)
    finder = Finder(bytes_, logic)
    finder.visit(tree.body[0])
    seen: dict[str, int] = {}
    for start, end, text in finder.edits:
        changed = bytes_[:start] + text.encode() + bytes_[end:]
        if text == "pass":
            said = line_text(bytes_, start, start) + " -> dropped"
        else:
            now = line_text(changed, start, start + len(text.encode()))
            said = f"{line_text(bytes_, start, end)} -> {now}"
        seen[said] = seen.get(said, 0) + 1
        yield said if seen[said] == 1 else f"{said} #{seen[said]}", changed.decode()


def mutants(exercise: Exercise) -> Iterator[Mutant]:
    """Every changed version of an exercise's reference, in the globals of its module."""
    reference = inspect.unwrap(exercise.reference)
    module = sys.modules[reference.__module__]
    logic = reference.__module__.startswith("recon.course.broken")
    for text, source in changed_sources(inspect.getsource(reference), logic):
        namespace = dict(vars(module))
        try:
            exec(compile(source, f"<{reference.__name__}: {text}>", "exec"), namespace)
        except Exception:  # no Python any more: no learner's answer either
            continue
        yield Mutant(text, namespace[reference.__name__])


class TooLong(BaseException):
    """Ends a mutant that does not end."""


def stop(*_):
    raise TooLong


def survives(exercise: Exercise, function: Callable) -> bool:
    """Whether a check lets a function pass, within the time a mutant has."""
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # processor time: a busy machine kills nothing
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return judge(exercise, function).state == "right"
    except TooLong:
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def survivors(exercise: Exercise) -> list[str]:
    """The changes that an exercise's check lets pass."""
    return [mutant.text for mutant in mutants(exercise) if survives(exercise, mutant.function)]


def listed() -> dict[str, dict[str, str]]:
    """exercise id -> change -> why it is equivalent, as survivors.toml has them."""
    with open(SURVIVORS, "rb") as file:
        tables = tomllib.load(file)
    return {id: {row["change"]: row["why"] for row in rows} for id, rows in tables.items()}


def row_text(id: str, change: str) -> str:
    """A survivor as survivors.toml has it; the reason is to be written."""
    quote = "'''" if "'" in change else "'"
    return f'[["{id}"]]\nchange = {quote}{change}{quote}\nwhy = ""\n'


def main(*asked: str) -> None:
    known = listed()
    for word in asked:
        for exercise in [find(word)] if "." in word else of_lesson(f"{int(word):02d}"):
            alive, count = [], 0
            for mutant in mutants(exercise):
                count += 1
                if survives(exercise, mutant.function):
                    alive.append(mutant.text)
            own = known.get(exercise.id, {})
            print(f"# {exercise.id} {exercise.name}: {count} mutants, {len(alive)} pass")
            for change in alive:
                print(f"# listed: {change}" if change in own else row_text(exercise.id, change))
            for change in own.keys() - set(alive):
                print(f"# listed, and refused or gone: {change}")


if __name__ == "__main__":
    main(*sys.argv[1:])
