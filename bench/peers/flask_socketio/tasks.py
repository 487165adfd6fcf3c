"""The Celery tasks: store, then emit through the message queue."""

from celery import Celery
from database import Notification, db
from flask import Flask
from flask_socketio import SocketIO
from settings import DATABASE_URL, REDIS_URL

celery = Celery("tasks", broker=REDIS_URL)
celery.conf.task_ignore_result = True

flask_app = Flask(__name__)
flask_app.config["SQLALCHEMY_DATABASE_URI"] = DATABASE_URL
db.init_app(flask_app)
socketio = SocketIO(message_queue=REDIS_URL)


@celery.task
def notify(user_id, data):
    """Store and emit one alert to one user."""
    with flask_app.app_context():
        notification = Notification(user_id=user_id, **data)
        db.session.add(notification)
        db.session.commit()
        socketio.emit("notification", notification.to_dict(), to=user_id)


@celery.task
def broadcast(user_ids, data):
    """Store a row for each of many users, and emit once to all their rooms."""
    with flask_app.app_context():
        db.session.add_all([Notification(user_id=user_id, **data) for user_id in user_ids])
        db.session.commit()
        socketio.emit("notification", data, to=user_ids)
