"""Commands of the archive lane."""

from __future__ import annotations

import typer

from faultline.cli.common import Topics, console, kafka_source, plain_errors, read_settings

app = typer.Typer()


@app.command()
def archive(topic: Topics = None) -> None:
    """Archive everything that is in Kafka now, as a run of archive_logs does."""
    from faultline.model import utc_now
    from faultline.steps.archive import append_group
    from faultline.steps.archive_plan import plan_archive_run

    settings = read_settings()
    with plain_errors(), kafka_source(settings) as source, console.status("Archiving …") as status:
        groups = plan_archive_run(settings, source, until=utc_now(), topics=topic or [])
        rows = 0
        for number, group in enumerate(groups, 1):
            status.update(f"Archiving group {number} of {len(groups)}, {rows:,} rows so far …")
            rows += append_group(settings, source, group)["rows"]
    console.print(f"{rows:,} rows archived.")
