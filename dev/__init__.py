"""Local Kafka, HDFS, PostgreSQL and Airflow as real processes, for ``make up``, the demo and the tests.

Knows nothing of what Faultline does with them. Reading order: ``java`` and ``jars`` find what to run, ``ports`` where;
``programs`` says what a program is and how to wait for it; ``kafka``, ``hdfs``, ``postgres`` and ``airflow`` describe
the servers; ``children`` runs them below this process (tests), ``supervisor`` keeps them alive (``make up``); ``stack``
puts all of them together and ``cli`` is what a person types.
"""
