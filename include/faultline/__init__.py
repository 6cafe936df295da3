"""Faultline: archive what services log to Kafka, count their errors, page for the cause and not for its effects.

The map, in reading order:

- ``model`` has the values everything speaks in; ``errors`` says which faults are worth a retry; ``settings`` and
  ``topicfile`` are what the user configures: ``yaml_files`` reads it, ``durations`` the times and ``line_patterns``
  checks the patterns in it. ``connections`` are settings too, as Airflow's Connections have them, and
  ``airflow_provider`` has the forms for those.
- ``records`` turns the bytes of a Kafka message into columns; it opens no connection.
- ``archive`` decides which offsets to append to a topic's table, appends them once, and proves it.
- ``alerting`` counts errors per bucket, evaluates rules, suppresses effects along chains and decides what to notify;
  time and state come in as arguments.
- ``dispatch`` carries notifications from the outbox to receivers and records what became of each.
- ``importers`` turn the files of Alertmanager and ElastAlert into our rules file; a note says what is not in it.
- ``adapters`` are the only modules that open a connection: Kafka, Delta, WebHDFS, the SQL database.
- ``steps`` has one function per Airflow task: gather, decide, act. ``cli`` is the same for a terminal.
- ``page`` shows all of it in a browser, within Airflow; it too knows nothing of Airflow itself.
- ``testing`` has the fakes, for our tests and for yours.
"""
