"""The WebSocket gateway: executes what `notifier.core.session` returns.

gateway          the parts together: start, loops, stop
services         what a connection uses of its gateway
connection       one socket's loop: executes the session's effects
transport        one WebSocket on gevent: whole frames out, frames in, pings, a clean close
handshake        which requests for an upgrade are refused
sendall_socket   a socket whose send() sends everything or raises TooSlow
admission        how many sockets there may be
hub              who is connected here: one subscription for each user, shared by their sockets
local_first      publishing to this process's own sockets, then to the broker
snapshots        what sockets start from, read for several of them at once
acks, presence   write-behind buffers: what devices acked; which sockets opened and closed
revocation_list  whose tokens are revoked

The route `/ws` is in `web/socket_route.py`.
"""

from web.gateway.gateway import Gateway

__all__ = ["Gateway"]
