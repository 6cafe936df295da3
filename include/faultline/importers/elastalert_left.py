"""What of an ElastAlert rule is not carried: for each field why, and what to do."""

from __future__ import annotations

import re

from faultline.importers.report import NOTHING, Spot
from faultline.importers.sections import Section

_LEFT = {
    "include": ("a message has samples of whole records", NOTHING),
    "exclude": ("a message has samples of whole records", NOTHING),
    "exponential_realert": ("the time between repeats does not grow", "see repeat_interval of a route"),
    "aggregation": (
        "a message is about one episode and its effects",
        "write a chain for alerts that belong together, see docs/alerting.md",
    ),
    "alert_on_missing_field": ("a record without the field says nothing new", NOTHING),
    "timestamp_field": ("what means the time is said for the topic", "see `fields` in topics.yaml"),
    **dict.fromkeys(
        ("top_count_keys", "top_count_number", "raw_count_keys", "attach_related", "summary_table_fields"),
        ("a message has counts, samples and effects of its own", "write `text` of the channel, see docs/receivers.md"),
    ),
    "match_enhancements": ("they are programs", NOTHING),
}
_PLUMBING = re.compile(
    r"es_.*|(generate_|shorten_)?(kibana|opensearch)_.*|use_(ssl|count_query|terms_query|strftime_index|local_time)"
    r"|use_(keyword_postfix|run_every_query_size)|verify_certs|ca_certs|client_(cert|key)|ssl_show_warn|run_every"
    r"|buffer_time|query_(delay|timezone)|max_(query_size|scrolling|threads)|misfire_grace_time|scroll_keepalive|doc_type"
    r"|terms_size|timestamp_(type|format|format_expr|to_datetime_format_expr)|_source_enabled|window_step_size"
    r"|(sync_)?bucket_interval|allow_buffer_time_overlap|scan_entire_timeframe|limit_execution|aws_region|profile"
)
_OF_A_CHANNEL = re.compile(
    r"(slack|mattermost|rocket_chat|pagerduty|http_post2?|dingtalk|lark|work_wechat|discord|googlechat|ms_teams"
    r"|ms_power_automate|telegram|opsgenie|victorops|email|smtp|jira|alertmanager|sns|ses)_.*|from_addr|cc|bcc"
)


def note_rest(section: Section) -> None:
    """Notes for all that nobody took; what is about Elasticsearch is one note a file."""
    report = section.report
    rest = list(section.rest())
    for name in [name for name in rest if not _PLUMBING.fullmatch(name)]:
        if name in _LEFT:
            why, do = _LEFT[name]
        elif _OF_A_CHANNEL.fullmatch(name):
            why, do = "no option of Faultline's channel", "set it at the provider, or see docs/receivers.md"
        else:
            why, do = "no field that Faultline knows", "see docs/alerting.md for what there is"
        report.left(section.spot_of(name), why, do)
    plumbing: dict[str, list[Spot]] = {}
    for spot in [section.spot_of(name) for name in rest if _PLUMBING.fullmatch(name)]:
        plumbing.setdefault(spot.file, []).append(spot)
    for file, spots in plumbing.items():
        why = "Elasticsearch is not asked: records are counted as they come from Kafka"
        report.left(Spot(file, spots[0].line, ", ".join(spot.path for spot in spots)), why, NOTHING)
