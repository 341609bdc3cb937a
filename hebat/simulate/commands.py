"""The `hebat simulate` command: run seeds, replay a failure, make it shorter, try broken variants."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from hebat.simulate.faults import Fault
    from hebat.simulate.plan import Plan
    from hebat.simulate.run import Done

SeedOption = Annotated[int, typer.Option(help="Which run; the first of them with --runs.")]
DaysOption = Annotated[int, typer.Option(min=1, max=400, help="How many days each run lasts.")]
RunsOption = Annotated[
    int, typer.Option(min=0, help="How many seeds, one after another; 0 goes on until stopped.")
]
NumbersOption = Annotated[str, typer.Option(help="Play these events alone, such as 3,17-20,41.")]
FaultsOption = Annotated[str, typer.Option(help="With faults at these events alone; none: at no event.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON line a run, for machines.")]
TraceOption = Annotated[bool, typer.Option("--trace", help="Tell every event.")]
ShrinkOption = Annotated[bool, typer.Option(help="Look for a shorter run where a law breaks.")]


def simulate(
    seed: SeedOption = 1,
    days: DaysOption = 1,
    runs: RunsOption = 1,
    events: NumbersOption = "all",
    faults: FaultsOption = "all",
    trace: TraceOption = False,
    shrink: ShrinkOption = True,
    as_json: JsonOption = False,
) -> None:
    """Run a whole city in this process, under simulated time, network, disks and cards, with faults by seed; exit 1 where a law breaks."""
    from hebat.simulate.planning import make_plan  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed
    from hebat.simulate.run import run  # noqa: PLC0415

    covered: Counter[Fault] = Counter()
    told: Callable[[str], object] = typer.echo if trace else str
    for one in count(seed) if runs == 0 else range(seed, seed + runs):
        plan = _chosen(make_plan(one, days), events, faults)
        done = run(plan, told=told)
        covered += done.covered
        typer.echo(json.dumps(as_line(done)) if as_json else sentence(done))
        if done.failure is not None:
            _explain(done, partial(run, heals=done.failure.step == 0), shrink=shrink)
            raise typer.Exit(1)
    if not as_json:
        typer.echo("Faults: " + ", ".join(f"{fault} {covered[fault]}" for fault in sorted(covered)))


def numbers(text: str) -> list[int]:
    """Numbers such as 3,17-20; raises InputRefused."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            raise InputRefused(f"{part!r} is no number of an event: write them as 3,17-20")
        found += range(int(first), int(last or first) + 1)
    return found


def spans(found: list[int]) -> str:
    """Numbers as they are written shortest: 3,17-20."""
    parts: list[str] = []
    start = 0
    for at, number in enumerate(found, 1):
        if at == len(found) or found[at] != number + 1:
            first = found[start]
            parts.append(str(first) if first == number else f"{first}-{number}")
            start = at
    return ",".join(parts)


def _chosen(plan: Plan, events: str, faults: str) -> Plan:
    every = [one.number for one in plan.events]
    kept = every if events == "all" else numbers(events)
    struck = every if faults == "all" else [] if faults == "none" else numbers(faults)
    return plan.only(kept, struck)


def sentence(done: Done) -> str:
    """A run in one line."""
    plan = done.plan
    return (
        f"seed {plan.seed}, days {plan.days}: {done.steps} steps, {done.events} events, {done.taps} taps, {done.rows} transfers, "
        f"{sum(done.covered.values())} faults; {'no law broken' if done.failure is None else 'a law broke'}; digest {done.digest[:16]}"
    )


def as_line(done: Done) -> dict[str, object]:
    """A run for machines."""
    failure = done.failure
    return {
        "seed": done.plan.seed, "days": done.plan.days, "steps": done.steps, "events": done.events, "taps": done.taps,
        "transfers": done.rows, "faults": {str(one): many for one, many in sorted(done.covered.items())}, "digest": done.digest,
        "failure": None if failure is None else {"step": failure.step, "law": failure.law, "detail": failure.detail},
    }  # fmt: skip


def replay(done: Done) -> str:
    """The command that plays a run again, as it is typed in a checkout."""
    plan = done.plan
    kept = spans([one.number for one in plan.events])
    struck = spans([one.number for one in plan.events if one.fault is not None]) or "none"
    return f"./run simulate --seed {plan.seed} --days {plan.days} --events {kept or '0'} --faults {struck} --trace"


def _explain(done: Done, run: Callable[[Plan], Done], *, shrink: bool) -> None:
    from hebat.simulate.shrink import Shrinker  # noqa: PLC0415  as above

    failure = done.failure
    assert failure is not None  # noqa: S101  asked for where one broke
    where = f"at step {failure.step}" if failure.step else "when everything was healed"
    typer.echo(f"Law {failure.law} broke {where}: {failure.detail}\nReplay: {replay(done)}")
    if shrink:
        shorter = Shrinker(done, run).shrunk()
        typer.echo(f"Shorter ({len(shorter.plan.events)} events): {replay(shorter)}")
