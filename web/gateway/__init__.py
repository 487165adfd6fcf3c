"""The WebSocket gateway: performs what `notifier.core.session` says.

endpoint   the route: Origin, limits, and the socket that Flask-Sock is given
handshake  which requests for an upgrade are refused, and how Flask-Sock answers the others
wire       one WebSocket on gevent: whole frames out, frames in, pings, a clean close
admission  how many sockets there may be
connection one socket's loop: the session's effects, performed
hub        who is connected here: one subscription a user, shared by their sockets
acks       what devices acked, written in one go
revocations whose tokens are good no more
gateway    the parts together: start, changes of state, stop
"""

from web.gateway.gateway import Gateway

__all__ = ["Gateway"]
