"""``faultline replay``: archived records back into Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from faultline.cli.common import Topics, kafka_source, plain_errors, read_settings
from faultline.cli.records import format_time
from faultline.cli.scanning import CtrlC, Scan
from faultline.cli.search import parse_request
from faultline.cli.spared import spare_pandas

if TYPE_CHECKING:
    from faultline.adapters.delta_search import SearchedTopic
    from faultline.archive.replay import Destination, Extent, Replayed
    from faultline.settings import Settings

app = typer.Typer()

_INTERRUPTED = 130


@app.command()
def replay(
    to: Annotated[str, typer.Option(help="kafka://topic, or kafka://host:9092/topic for another cluster.")],
    since: Annotated[str, typer.Option(help="From then on: a duration ago, or a time in UTC.")],
    query: Annotated[str, typer.Argument(help="Only what matches; see faultline search.")] = "",
    until: Annotated[str | None, typer.Option(help="Before then.")] = None,
    topic: Topics = None,
    rate: Annotated[float, typer.Option(min=0, help="Records a second at most; 0 for as fast as it goes.")] = 1000,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    allow_same_topic: Annotated[
        bool, typer.Option("--allow-same-topic", help="Also into a topic that is archived.")
    ] = False,
) -> None:
    """Put archived records back into Kafka as they were, oldest first; asks before it does."""
    spare_pandas()
    from faultline.adapters.kafka_writer import KafkaWriter
    from faultline.archive.replay import Destination
    from faultline.archive.search.scan import Progress as Looked
    from faultline.steps.replay import measure
    from faultline.steps.replay import replay as put_back
    from faultline.steps.search import open_topics
    from faultline.steps.topics import archived_topics

    try:
        destination = Destination.parse(to)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--to") from None
    asked, interval = parse_request(query, since, until)
    settings = read_settings()
    with plain_errors():
        destination.check([each.name for each in archived_topics(settings)], allow_same_topic=allow_same_topic)
        settings = _at(settings, destination)
        with kafka_source(settings) as source:
            partitions = len(source.partitions(destination.topic))
        topics = open_topics(settings, topic or [])
        scan = Scan(Looked())
        with scan.running():
            extent = measure(topics, asked, interval, scan.progress)
        if extent is None:
            scan.say("Nothing to replay.")
            return
        scan.say(_announced(extent, topics, settings, destination, rate))
        if not yes:
            typer.confirm("Replay them?", abort=True, err=True)
        with KafkaWriter(settings.kafka_bootstrap_servers, destination.topic, settings.kafka_properties) as writer:
            _follow(put_back(topics, asked, interval, writer, partitions=partitions, rate=rate), extent)


def _at(settings: Settings, destination: Destination) -> Settings:
    """The settings with the destination's cluster."""
    if destination.bootstrap is None:
        return settings
    return settings.model_copy(update={"kafka_bootstrap_servers": destination.bootstrap})


def _announced(
    extent: Extent, topics: list[SearchedTopic], settings: Settings, destination: Destination, rate: float
) -> str:
    names = ", ".join(each.topic.name for each in topics)
    speed = f"at most {rate:,g} a second" if rate else "as fast as it goes"
    return (
        f"{extent.records:,} records of {names}, from {format_time(extent.first)} to {format_time(extent.last)} UTC, "
        f"to topic {destination.topic} at {settings.kafka_bootstrap_servers}, {speed}."
    )


def _follow(steps: Iterator[Replayed], extent: Extent) -> None:
    """Show how far it is, and in the end, or at Ctrl-C, how far it got."""
    from faultline.archive.replay import Replayed

    done, interrupted = Replayed(), False
    ctrl_c = CtrlC()
    try:
        with ctrl_c.heard(), _bar() as bar:
            task = bar.add_task("Replaying", total=extent.records)
            for done in steps:
                ctrl_c.check()
                bar.update(task, completed=done.delivered + done.failed)
    except KeyboardInterrupt:
        interrupted = True
    _report(done, extent, interrupted=interrupted)


def _report(done: Replayed, extent: Extent, *, interrupted: bool) -> None:
    errors = Console(stderr=True)
    said = f"{done.delivered:,} of {extent.records:,} records replayed"
    said += f", {done.failed:,} were not taken." if done.failed else "."
    errors.print(said, highlight=False, soft_wrap=True)
    if done.delivered + done.failed < extent.records or done.reached is None:
        since = f"{done.reached or extent.first:%Y-%m-%dT%H:%M:%S.%f}Z"
        errors.print(
            f"To go on: --since {since}; records of that very instant may come twice.", highlight=False, soft_wrap=True
        )
    if interrupted:
        raise typer.Exit(_INTERRUPTED)
    if done.failed:
        raise typer.Exit(1)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not Console(stderr=True).is_terminal)
