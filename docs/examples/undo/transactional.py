"""The same over SQLAlchemy: what is done, and that it is done, are one commit. Used by docs/howto/undo.md."""

from sqlalchemy import Engine, delete
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from htmx_rt import Realtime
from htmx_rt.contrib.sqlalchemy import undo_marks


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


undo_marks(Base.metadata)  # the table rt_undo_marks, made with your own


def register(rt: Realtime, engine: Engine):
    @rt.undo.handler("delete-row", transactional=True)
    def delete_now(undo, id: int):  # not async: it runs in a thread
        with Session(engine) as db:
            if rt.undo.claim(db, undo.id):  # False: done already, by one that died before it could say so
                db.execute(delete(Task).where(Task.id == id))
            rt.topic("tasks").remove(f"#task-{id}", after=db)
            db.commit()
