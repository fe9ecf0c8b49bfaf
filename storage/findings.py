"""The engine's ledger of confirmations in a database."""

from __future__ import annotations

from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from engine.errors import UnknownThing
from engine.finding import Closing, Confirmation, Origin, Round
from storage.database import is_missing_reference, reading, table_of, upsert, writing
from storage.finding_tables import ConfirmationRow, OriginRow, RoundRow


class SqlLedger:
    """Thread-safe: each call is one transaction on a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def plan(self, planned: Round) -> bool:
        try:
            with writing(self._engine) as session:
                session.add(RoundRow.of(planned))
        except IntegrityError as error:
            if is_missing_reference(error):
                raise UnknownThing(f"No request {planned.request_id!r} is recorded.") from error
            return False  # id, number or seeds are taken
        return True

    def round(self, round_id: str) -> Round:
        found = [one for one in self.rounds() if one.id == round_id]
        if not found:
            raise UnknownThing(f"No confirmation {round_id!r} is recorded.")
        return found[0]

    def rounds(self) -> list[Round]:
        confirmed: dict[str, list[Confirmation]] = {}
        with reading(self._engine) as session:
            for row in session.exec(select(ConfirmationRow).order_by(col(ConfirmationRow.position))):
                confirmed.setdefault(row.round_id, []).append(row.value())
            rows = session.exec(select(RoundRow).order_by(col(RoundRow.number)))
            return [row.value(confirmed.get(row.id, [])) for row in rows]

    def close(self, round_id: str, closing: Closing) -> None:
        self.round(round_id)
        still_open = (col(RoundRow.id) == round_id, col(RoundRow.closed_at).is_(None))
        values = {"closed_at": closing.at, "closed_after": closing.after, "best": closing.best}
        with writing(self._engine) as session:
            change = update(table_of(RoundRow)).where(*still_open).values(values)
            if session.connection().execute(change).rowcount:
                session.add_all([ConfirmationRow.of(one) for one in closing.confirmations])

    def record_origin(self, origin: Origin) -> None:
        try:
            with writing(self._engine) as session:
                upsert(session, [OriginRow.of(origin)], "hypothesis_id")
        except IntegrityError as error:
            if is_missing_reference(error):
                raise UnknownThing(f"No hypothesis {origin.hypothesis_id!r} is recorded.") from error
            raise

    def origin(self, hypothesis_id: str) -> Origin | None:
        with reading(self._engine) as session:
            row = session.exec(select(OriginRow).where(OriginRow.hypothesis_id == hypothesis_id)).first()
        return row.value() if row else None
