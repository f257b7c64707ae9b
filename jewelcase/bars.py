"""Progress bars on standard error, through rich: loaded by `console.progress` where a person watches."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    Task,
    TaskID,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from acquire.progress import ACQUIRE, DIGEST, RESUME, VERIFY, WALK, Progress, ProgressCallback
from report.escape import visible
from report.figures import count, rounded_size

NAMES = {
    ACQUIRE: "Reading",
    RESUME: "Reading again what is there",
    VERIFY: "Verifying",
    WALK: "Walking",
    DIGEST: "Digesting content",
}


class _Name(ProgressColumn):
    """The phase; never taken for markup."""

    def render(self, task: Task) -> Text:
        return Text(visible(NAMES.get(task.fields["phase"], task.fields["phase"])))


class _Amount(ProgressColumn):
    """How much is done, of how much, and how fast; entries while walking, bytes otherwise."""

    def render(self, task: Task) -> Text:
        done, speed = int(task.completed), task.finished_speed or task.speed
        if task.fields["phase"] == WALK:
            rate = "" if speed is None else f"  {count(int(speed))}/s"
            return Text(f"{count(done)} entries{rate}")
        total = "" if task.total is None else f" of {rounded_size(int(task.total))}"
        rate = "" if speed is None else f"  {rounded_size(int(speed))}/s"
        return Text(f"{rounded_size(done)}{total}{rate}")


class _Left(TimeRemainingColumn):
    """The time left, and that it is that."""

    def render(self, task: Task) -> Text:
        return Text("left ").append_text(super().render(task)) if task.total else Text("")


class _Unread(ProgressColumn):
    """What could not be read so far."""

    def render(self, task: Task) -> Text:
        unread = task.fields["unread"]
        return Text(f"{count(unread)} bytes unread", style="red") if unread else Text("")


@contextmanager
def bars() -> Iterator[ProgressCallback]:
    """Show one bar a phase; gives what takes each `Progress`."""
    shown = Bars(
        *(_Name(), BarColumn(), _Amount(), TimeElapsedColumn(), _Left(), _Unread()),
        console=Console(stderr=True, highlight=False),
    )
    tasks: dict[str, TaskID] = {}

    def show(step: Progress) -> None:
        task = tasks.get(step.phase)
        # A phase that begins again (the next exhibit) gets a bar of its own.
        if task is None or step.done < shown.tasks[shown.task_ids.index(task)].completed:
            task = shown.add_task("", total=step.total or None, phase=step.phase, unread=0)
            tasks[step.phase] = task
        shown.update(task, completed=step.done, total=step.total or None, unread=step.unread)

    with shown:
        yield show
