"""The bodies and answers of Web Push."""

from typing import Annotated

from pydantic import BaseModel, Field

from web.schemas.fields import Closed


class PushKeys(Closed):
    """A subscription's keys, as the browser made them."""

    p256dh: Annotated[str, Field(max_length=200)]
    auth: Annotated[str, Field(max_length=100)]


class PushSubscriptionBody(BaseModel):
    """`PushSubscription.toJSON()`; browsers may add fields."""

    endpoint: Annotated[str, Field(max_length=2_000)]
    keys: PushKeys


class PushUnsubscribeBody(Closed):
    """The browser to unsubscribe."""

    endpoint: Annotated[str, Field(max_length=2_000)]


class PushReadBody(Closed):
    """The token of a push message."""

    token: Annotated[str, Field(max_length=4_096)]


class PushKey(BaseModel):
    """The public key that a browser subscribes with, in base64url."""

    key: str
