# Airflow's own image with Faultline in it: the same versions that requirements.txt locks and the tests run with.
ARG AIRFLOW_VERSION=3.3.2
ARG PYTHON_VERSION=3.12
FROM apache/airflow:slim-${AIRFLOW_VERSION}-python${PYTHON_VERSION}

WORKDIR /opt/faultline
COPY --chown=airflow:0 requirements.txt pyproject.toml README.md LICENSE ./
COPY --chown=airflow:0 include ./include
# The lock constrains; the extra chooses. Test tools stay out of the image.
RUN pip install --no-cache-dir --constraint requirements.txt ".[airflow]"

COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 examples/shop/rules.yaml examples/shop/topics.yaml /opt/faultline/config/
WORKDIR /opt/airflow
