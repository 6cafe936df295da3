"""What Airflow has been told of an Asset."""

from __future__ import annotations

from typing import Any


def events(uri: str) -> list[dict[str, Any]]:
    """What its events carry, oldest first."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return list(session.scalars(query.where(AssetModel.uri == uri).order_by(AssetEvent.id)))
