"""The bookshop's tables."""

from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData

db = SQLAlchemy(
    metadata=MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
)


class User(UserMixin, db.Model):
    """A customer."""

    __tablename__ = "users"

    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80), unique=True, nullable=False)


class Order(db.Model):
    """An order of a customer."""

    __tablename__ = "orders"

    id = db.Column(db.Integer, primary_key=True)
    customer = db.Column(db.ForeignKey("users.id"), nullable=False)
    book = db.Column(db.String(200), nullable=False)


class Notification(db.Model):
    """A paper letter that was sent. The class's and the table's name are the bookshop's own."""

    __tablename__ = "notifications"

    id = db.Column(db.Integer, primary_key=True)
    letter = db.Column(db.Text, nullable=False)


class Device(db.Model):
    """An e-book reader that the shop lends."""

    __tablename__ = "devices"

    id = db.Column(db.Integer, primary_key=True)
    label = db.Column(db.String(80), index=True)
