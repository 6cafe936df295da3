"""Faultline's page: what alerts, counts, the pipeline and the archive are doing, for a browser.

A FastAPI app of server-rendered views. Knows nothing of Airflow: who asks and what they may do is passed in
(``access``), as are the settings. In reading order: ``app`` puts it together, ``access`` and ``headers`` keep it safe,
``asked`` is what a view gets for each request, ``searching`` looks through the archive in threads of its own,
``views`` has one file per view, in the order of the navigation; ``templates`` what they look like, ``texts`` the words
in each language, ``static`` the script, style and chart library.
"""
