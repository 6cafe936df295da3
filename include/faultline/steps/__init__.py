"""One function per Airflow task: gather what the decision needs, decide, act.

Adapters and the clock are passed in. ``archive``, ``counts`` and ``alerts`` share code and never a run: archiving needs
Kafka and the tables, counting Kafka and the database, alerting the database alone.
"""
