"""The servers' addresses."""

import os

DATABASE_URL = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
REDIS_URL = os.environ["REDIS_URL"]
