"""One table: a row for each recipient."""

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Identity, Index, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

db = SQLAlchemy()


class Notification(db.Model):
    """An alert in a user's inbox."""

    __tablename__ = "notifications"
    __table_args__ = (Index("notifications_user", "user_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(128))
    title: Mapped[str] = mapped_column(String(200))
    message: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(String(20))
    created_at = mapped_column(DateTime(timezone=True), server_default=func.now())

    def to_dict(self):
        """Return what is sent to the browser."""
        return {"id": self.id, "title": self.title, "message": self.message, "type": self.type}
