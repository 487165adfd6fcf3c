"""Flask + Flask-SocketIO (gevent) + Celery + Redis + PostgreSQL, as in tutorials. See README.md."""

from gevent import monkey

monkey.patch_all()

from database import Notification, db  # noqa: E402
from flask import Flask, request  # noqa: E402
from flask_socketio import SocketIO, emit, join_room  # noqa: E402
from settings import DATABASE_URL, REDIS_URL  # noqa: E402
from tasks import broadcast, notify  # noqa: E402

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = DATABASE_URL
db.init_app(app)
socketio = SocketIO(app, async_mode="gevent", message_queue=REDIS_URL)

with app.app_context():
    db.create_all()


@app.post("/api/notifications")
def create():
    """Enqueue a task that stores and emits."""
    body = request.get_json()
    if "user_ids" in body:
        broadcast.delay(body["user_ids"], body["data"])
    else:
        notify.delay(body["user_id"], body["data"])
    return {"status": "accepted"}, 202


@socketio.on("connect")
def connect(auth):
    """Join the user's room, and send what was missed."""
    user_id, after = auth["user_id"], auth.get("after")
    join_room(user_id)
    if after is not None:
        missed = (
            db.session.query(Notification)
            .filter(Notification.user_id == user_id, Notification.id > after)
            .order_by(Notification.id)
        )
        for notification in missed:
            emit("notification", notification.to_dict())
