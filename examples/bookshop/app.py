"""The bookshop's Flask application."""

import os

from flask import Flask
from flask_login import LoginManager
from flask_migrate import Migrate
from notices import notifier
from web.views import pages

from models import User, db

login = LoginManager()


@login.user_loader
def load_user(user_id: str) -> User | None:
    return db.session.get(User, int(user_id))


def create_app(**config: object) -> Flask:
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=os.environ.get("SHOP_SECRET", "for-this-machine-only"),
        SQLALCHEMY_DATABASE_URI=os.environ.get("SHOP_DATABASE_URL", "sqlite://"),
    )
    app.config.update(config)
    db.init_app(app)
    Migrate(app, db)
    login.init_app(app)
    notifier.init_app(app)
    app.register_blueprint(pages)
    return app
